/**
 * "Bare": the least that takes an event durably and delivers it. fastify, ajv, one transaction per
 * request (event, secondary index, profile, SHA-256, outbox), delivery by raw undici. No consent, no
 * identity, no rules: the limit the hub is compared with. Prints its port; ends with its parent.
 */
import { createHash } from 'node:crypto'
import { Ajv2020 } from 'ajv/dist/2020.js'
import Database from 'better-sqlite3'
import Fastify from 'fastify'
import { Pool } from 'undici'

const [file, sink] = process.argv.slice(2) as [string, string]
const db = new Database(file)
db.pragma('journal_mode = WAL')
db.pragma('synchronous = FULL')
db.exec(`create table events (mid text primary key, uid text, ts text, body text) without rowid; create index events_uid on events (uid, ts);
create table profiles (uid text primary key, n integer, last text) without rowid; create table outbox (id integer primary key, body text, done integer)`)
const event = db.prepare('insert into events values (?, ?, ?, ?) on conflict do nothing')
const profile = db.prepare(
  'insert into profiles values (?, 1, ?) on conflict (uid) do update set n = n + 1, last = excluded.last',
)
const outbox = db.prepare('insert into outbox (body, done) values (?, 0)')
const next = db.prepare('select id, body from outbox where done = 0 order by id limit 64')
const done = db.prepare('update outbox set done = 1 where id = ?')

const validate = new Ajv2020().compile({
  type: 'object',
  required: ['type', 'messageId'],
  properties: {
    type: { enum: ['track', 'identify'] },
    messageId: { type: 'string' },
    event: { type: 'string' },
    userId: { type: 'string' },
    properties: { type: 'object' },
  },
})
interface Message {
  type: string
  event?: string
  messageId: string
  userId: string
  timestamp?: string
  properties?: object
}
const store = db.transaction((batch: Message[]) => {
  for (const message of batch) {
    const at = message.timestamp ?? ''
    const { changes } = event.run(message.messageId, message.userId, at, JSON.stringify(message))
    if (changes === 0) continue
    profile.run(message.userId, at)
    if (message.event === 'Product Added')
      outbox.run(
        JSON.stringify({
          id: message.messageId,
          em: createHash('sha256').update(message.userId).digest('hex'),
          properties: message.properties,
        }),
      )
  }
})

const app = Fastify({ bodyLimit: 8 * 1024 * 1024 })
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => parsed(null, body))
app.post('/v1/batch', async (request) => {
  const { batch } = JSON.parse((request.body as Buffer).toString('utf8')) as { batch: Message[] }
  store(batch.filter((message) => validate(message)))
  void deliver()
  return { success: true }
})

const pool = new Pool(sink, { connections: 32 })
let delivering = false
async function deliver(): Promise<void> {
  if (delivering) return
  delivering = true
  for (;;) {
    const rows = next.all() as { id: number; body: string }[]
    if (rows.length === 0) break
    await Promise.all(
      rows.map(({ body }) =>
        pool
          .request({ path: '/in', method: 'POST', headers: { 'content-type': 'application/json' }, body })
          .then((answer) => answer.body.dump()),
      ),
    )
    db.transaction(() => {
      for (const { id } of rows) done.run(id)
    })()
  }
  delivering = false
}

await app.listen({ port: 0, host: '127.0.0.1' })
const address = app.server.address()
console.log(typeof address === 'object' && address ? address.port : 0)
process.once('disconnect', () => process.exit(0))
