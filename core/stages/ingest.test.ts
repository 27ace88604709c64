/** A withdrawal is effective from its answer, also on an event of which nothing else can be read. */
import { afterEach, expect, test } from 'vitest'
import type { SourceSettings } from '../config.ts'
import type { AnySource, ConsentEvidence, RawRequest, SourceItem } from '../kit/define.ts'
import { ingest } from '../pipeline.ts'
import { signal } from '../testing/consent-signals.ts'
import { alias } from '../testing/events.ts'
import { Rig } from '../testing/pipeline-rig.ts'
import { fenceFor, type IngestPorts, isRefusal, normalize } from './ingest.ts'

let rig: Rig
afterEach(() => rig?.close())

const denied: ConsentEvidence = {
  vendor: 'segment',
  answers: { Analytics: { answer: 'denied' } },
  method: 'cmp_string',
  actor: 'subject',
  raw: { Analytics: false },
}
const source = (items: readonly SourceItem[]): SourceSettings => ({
  id: 'site',
  connector: 'segment',
  definition: {
    id: 'segment',
    routes: [],
    maxBytes: 1e6,
    volatileFields: [],
    credentials: () => [],
    verify: () => true,
    normalize: () => items,
    accept: () => ({ status: 200 }),
  } as unknown as AnySource,
  config: { connector: 'segment', notice: { id: 'cookies', version: 1 } },
  settings: {},
})
const request = (): RawRequest => ({
  method: 'POST',
  path: '/v1/batch',
  query: {},
  headers: {},
  body: Buffer.from('{}'),
  receivedAt: rig.at(),
})
const ports = (items: readonly SourceItem[]): IngestPorts => ({
  sources: new Map([['site', source(items)]]),
  byCredential: new Map(),
  purposes: rig.purposes,
  keys: rig.keys,
  log: rig.writer,
  maxLogBytes: 1e9,
})
const unreadable = (
  consent: readonly ConsentEvidence[],
  identifiers = [{ type: 'anonymousId' as const, value: 'd1' }],
) => ({
  event: { type: 'track' as const, name: 'X', timestamp: 'yesterday', identifiers, consent: [...consent] },
  raw: { timestamp: 'yesterday' },
})

test('a quarantined event that carries a refusal raises its fence before the answer, and keeps it', async () => {
  rig = await Rig.open()
  const answer = await ingest(request(), { sourceId: 'site' }, ports([unreadable([denied])]))
  expect(answer.status).toBe(200)
  const device = [rig.keys.identifier('anonymousId', 'd1')]
  expect(rig.log.fencesFor(device)).toMatchObject([{ purposes: ['analytics'] }])
  await rig.process()
  await rig.restart()
  expect(rig.log.fencesFor(device)).toHaveLength(1)
  const [row] = await rig.state.db.selectFrom('quarantine').selectAll().execute()
  expect([row!.code, JSON.parse(row!.fences).length]).toEqual(['BAD_TIMESTAMP', 1])
})

test('a permission, and a refusal of nobody, raise none', async () => {
  rig = await Rig.open()
  const granted = { ...denied, answers: { Analytics: { answer: 'granted' as const } } }
  for (const item of [unreadable([granted]), unreadable([]), unreadable([denied], [])]) {
    const result = normalize(request(), source([item]), ports([item]))
    if (isRefusal(result)) throw new Error(result.message)
    expect([result.fences, result.records.map(({ fences }) => fences)]).toEqual([[], [[]]])
  }
})

test('the id from before is fenced with the one it became', async () => {
  rig = await Rig.open()
  const event = alias({ userId: 'ana', previousId: 'd1', consent: [signal('email_marketing', 'revoke', rig.at())] })
  expect(fenceFor(event, rig.keys)?.identifiers).toEqual([
    rig.keys.identifier('userId', 'ana'),
    rig.keys.identifier('anonymousId', 'd1'),
  ])
})
