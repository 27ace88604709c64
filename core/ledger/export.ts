/**
 * The ledger's part of an audit pack: a folder that verify.mjs (Node) and verify.html (a browser, opened
 * from disk) check without the hub. What lies outside its scope is there as hashes of whole subtrees, so the root still comes
 * out and nobody else's entries are shown.
 */

import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { completeSubtrees, textLeafHash } from '../../consent/ledger/merkle.ts'
import { type TreeView, viewTree } from '../../consent/ledger/tiles.ts'
import type { Keys } from '../keys.ts'
import { chunks, type Db } from '../stores/open.ts'
import { newestCheckpoint } from './checkpoint.ts'
import { type DeliveryRecord, RECORD_COLUMNS, recordText } from './deliveries.ts'
import { HUB } from './hub-entry.ts'
import { knownKeys } from './keyring.ts'
import { openPayload, proveSubjects } from './prove.ts'
import { readHead, tileReader } from './rows.ts'

export interface ExportScope {
  /** Epoch milliseconds: entries received since. Does not cut the history of named subjects: it shows what held then. */
  readonly from?: number
  /** Entries received before. */
  readonly to?: number
  /** Ledger subjects (`nodes.subject`) whose entries are disclosed, whole; everybody's when absent. The hub's own always are. */
  readonly subjects?: readonly string[]
  /** Holds the payloads of the disclosed entries too: personal data. Needs `keys`. */
  readonly payloads?: boolean
}

export interface ExportedLedger {
  readonly size: number
  readonly disclosed: number
  readonly payloads: number
  readonly deliveries: number
  /** Names within the folder. */
  readonly files: readonly string[]
}

/** There is no signed checkpoint to export under. Sign one first. */
export class NothingSigned extends Error {
  override readonly name = 'NothingSigned'
}

const PAGE = 2_000
const offline = (name: string) => readFile(new URL(`../../consent/ledger/offline/${name}`, import.meta.url), 'utf8')

/**
 * Exports up to the newest signed checkpoint. Call the command `ledgerCheckpoint` before, so that it covers all.
 * @throws NothingSigned
 */
export async function exportLedger(
  { db, keys, now }: { readonly db: Db; readonly keys: Keys; readonly now: number },
  dir: string,
  scope: ExportScope = {},
): Promise<ExportedLedger> {
  const head = await readHead(db)
  const checkpoint = head && (await newestCheckpoint(db))
  if (!checkpoint) throw new NothingSigned('the ledger has no signed checkpoint yet: run anuente ledger checkpoint')
  await mkdir(dir, { recursive: true })
  const { size } = checkpoint
  const view = viewTree(tileReader(db))
  const disclosed = await writeEntries(db, join(dir, 'ledger.ndjson'), size, view, scope)
  const known = await knownKeys(db, head.origin)
  const written: ExportedLedger = {
    size,
    disclosed: disclosed.count,
    payloads: scope.payloads ? await writePayloads(db, keys, join(dir, 'payloads.ndjson'), size, disclosed) : 0,
    deliveries: await writeDeliveries(db, join(dir, 'deliveries.ndjson'), size, scope),
    files: [
      'ledger.json',
      'ledger.ndjson',
      'checkpoint.txt',
      'checkpoints.ndjson',
      'deliveries.ndjson',
      ...(scope.subjects ? ['subjects.ndjson'] : []),
      ...(scope.payloads ? ['payloads.ndjson'] : []),
      'verify.mjs',
      'verify.html',
      'LEIA-ME.md',
    ],
  }
  if (scope.subjects) {
    const proofs = (await proveSubjects(db, scope.subjects, disclosed.to)) ?? []
    await writeFile(join(dir, 'subjects.ndjson'), proofs.map((proof) => `${JSON.stringify(proof)}\n`).join(''))
  }
  await writeFile(join(dir, 'checkpoint.txt'), checkpoint.note)
  await writeCheckpoints(db, join(dir, 'checkpoints.ndjson'), size, view)
  await writeFile(
    join(dir, 'ledger.json'),
    `${JSON.stringify(
      {
        format: 'anuente-ledger/1',
        origin: head.origin,
        size,
        root: Buffer.from(checkpoint.root).toString('hex'),
        exportedAt: new Date(now).toISOString(),
        from: scope.from === undefined || scope.subjects ? null : new Date(scope.from).toISOString(),
        to: scope.to === undefined ? null : new Date(scope.to).toISOString(),
        subjects: scope.subjects ?? null,
        keys: known.map(({ verifier, createdAt, retiredAt }) => ({ verifier, createdAt, retiredAt })),
      },
      null,
      2,
    )}\n`,
  )
  const code = await offline('verify.mjs')
  await writeFile(join(dir, 'verify.mjs'), code)
  await writeFile(join(dir, 'verify.html'), await verifierPage())
  await writeFile(join(dir, 'LEIA-ME.md'), README)
  return written
}

/** verify.html with the code of verify.mjs in it: a page opened from disk may import nothing. */
export async function verifierPage(): Promise<string> {
  const code = (await offline('verify.mjs')).replace(/^#!.*\n/, '')
  return (await offline('verify.html')).replace('/*VERIFY*/', () => code)
}

interface Disclosed {
  readonly count: number
  readonly to: number
  readonly isShown: (entry: { readonly seq: number; readonly subject: string }) => boolean
}

async function writeEntries(
  db: Db,
  file: string,
  size: number,
  view: TreeView,
  scope: ExportScope,
): Promise<Disclosed> {
  const from = scope.from === undefined ? 0 : await firstSince(db, scope.from, size)
  const to = scope.to === undefined ? size : await firstNotBefore(db, scope.to, size)
  const subjects = scope.subjects && new Set(scope.subjects)
  const isShown: Disclosed['isShown'] = ({ seq, subject }) =>
    subject === HUB || (seq < to && (subjects ? subjects.has(subject) : seq >= from))
  const out = lineWriter(file)
  let [count, hidden] = [0, 0]
  const hide = async (upTo: number) => {
    for (const { level, index } of completeSubtrees([hidden, upTo]))
      await out.write(JSON.stringify([level, (await view.node(level, index)).toString('base64')]))
  }
  for (let next = 0; next < size; ) {
    const rows = await db
      .selectFrom('ledger_entries')
      .select(['seq', 'subject', 'bytes'])
      .where('seq', '>=', next)
      .where('seq', '<', size)
      .$if(subjects !== undefined, (query) => query.where('subject', 'in', [...subjects!, HUB]))
      .orderBy('seq')
      .limit(PAGE)
      .execute()
    if (rows.length === 0) break
    for (const row of rows) {
      if (!isShown(row)) continue
      await hide(row.seq)
      await out.write(row.bytes)
      count += 1
      hidden = row.seq + 1
    }
    next = rows.at(-1)!.seq + 1
  }
  await hide(size)
  await out.end()
  return { count, to, isShown }
}

/** The first entry received at or after a time, and everything numbered after it. */
async function firstSince(db: Db, at: number, size: number): Promise<number> {
  const row = await db
    .selectFrom('ledger_entries')
    .select(({ fn }) => fn.min('seq').as('seq'))
    .where('at', '>=', at)
    .executeTakeFirst()
  return row?.seq === null || row?.seq === undefined ? size : Number(row.seq)
}

/** One after the last entry received before a time. */
async function firstNotBefore(db: Db, at: number, size: number): Promise<number> {
  const row = await db
    .selectFrom('ledger_entries')
    .select(({ fn }) => fn.max('seq').as('seq'))
    .where('at', '<', at)
    .executeTakeFirst()
  return row?.seq === null || row?.seq === undefined ? 0 : Math.min(size, Number(row.seq) + 1)
}

/** The last checkpoint of each day before, with the proof that the newest continues it. */
async function writeCheckpoints(db: Db, file: string, size: number, view: TreeView): Promise<void> {
  const rows = await db
    .selectFrom('ledger_checkpoints')
    .select(['size', 'at', 'note'])
    .where('size', '<', size)
    .orderBy('size')
    .execute()
  const daily = new Map(rows.map((row) => [Math.floor(row.at / 86_400_000), row]))
  const out = lineWriter(file)
  for (const { note, size: before, at } of daily.values()) {
    const consistency = (await view.consistency(before, size)).map((hash) => hash.toString('base64'))
    await out.write(JSON.stringify({ at: new Date(at).toISOString(), note, consistency }))
  }
  await out.end()
}

async function writePayloads(db: Db, keys: Keys, file: string, size: number, disclosed: Disclosed): Promise<number> {
  const shredded = new Map(
    (await db.selectFrom('ledger_shredded').selectAll().execute())
      .filter(({ key_id }) => key_id.endsWith('.proof'))
      .map(({ node_id, entry_id }) => [node_id, entry_id]),
  )
  const out = lineWriter(file)
  let [count, next] = [0, 0]
  for (;;) {
    const rows = await db
      .selectFrom('ledger_entries')
      .select(['seq', 'id', 'subject', 'node_id'])
      .where('seq', '>=', next)
      .where('seq', '<', size)
      .where('subject', '<>', HUB)
      .orderBy('seq')
      .limit(PAGE)
      .execute()
    if (rows.length === 0) break
    for (const row of rows) {
      if (!disclosed.isShown(row)) continue
      const opened = await openPayload(db, row.id, keys)
      const destroyedBy = shredded.get(row.node_id)
      if (!opened && destroyedBy === undefined) continue
      count += 1
      await out.write(
        JSON.stringify(
          opened
            ? { id: row.id, payload: opened.payload, salt: opened.salt.toString('base64') }
            : { id: row.id, destroyedBy },
        ),
      )
    }
    next = rows.at(-1)!.seq + 1
  }
  await out.end()
  return count
}

async function writeDeliveries(db: Db, file: string, size: number, scope: ExportScope): Promise<number> {
  const nodes = scope.subjects && (await nodesOf(db, scope.subjects))
  const isShown = (row: DeliveryRecord) =>
    (nodes?.has(row.node_id) ?? true) &&
    (scope.from === undefined || row.settled_at! >= scope.from) &&
    (scope.to === undefined || row.settled_at! < scope.to)
  const out = lineWriter(file)
  let disclosed = 0
  const roots = await db
    .selectFrom('ledger_entries')
    .select('id')
    .where('type', '=', 'deliveries.root')
    .where('seq', '<', size)
    .orderBy('seq')
    .execute()
  for (const part of chunks(roots, 100)) {
    const records = await db
      .selectFrom('ledger_deliveries')
      .select(['entry_id', 'n', 'delivery_id', 'leaf'])
      .where(
        'entry_id',
        'in',
        part.map(({ id }) => id),
      )
      .orderBy('entry_id')
      .orderBy('n')
      .execute()
    const rows = new Map<string, DeliveryRecord>()
    for (const some of chunks(records))
      for (const row of await db
        .selectFrom('deliveries')
        .select(RECORD_COLUMNS)
        .where(
          'id',
          'in',
          some.map(({ delivery_id }) => delivery_id),
        )
        .execute())
        rows.set(row.id, row)
    for (const { entry_id, n, delivery_id, leaf } of records) {
      const row = rows.get(delivery_id)
      // A row that is no longer what was recorded is shown by its hash: the record of then is not there to be shown.
      const text = row && isShown(row) ? recordText(row) : undefined
      const shown = text !== undefined && textLeafHash(text).equals(leaf)
      if (shown) disclosed += 1
      await out.write(
        shown
          ? `{"entry":${JSON.stringify(entry_id)},"n":${n},"record":${text}}`
          : JSON.stringify({ entry: entry_id, n, leaf: Buffer.from(leaf).toString('base64') }),
      )
    }
  }
  await out.end()
  return disclosed
}

async function nodesOf(db: Db, subjects: readonly string[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  for (const part of chunks(subjects)) {
    const rows = await db.selectFrom('nodes').select('id').where('subject', 'in', part).execute()
    for (const { id } of rows) found.add(id)
  }
  return found
}

function lineWriter(file: string) {
  const stream = createWriteStream(file)
  return {
    async write(line: string): Promise<void> {
      if (!stream.write(`${line}\n`)) await once(stream, 'drain')
    },
    async end(): Promise<void> {
      stream.end()
      await once(stream, 'close')
    },
  }
}

const README = `# Livro de consentimento: como conferir

Esta pasta contém o livro (*ledger*) de consentimento até o checkpoint assinado em \`checkpoint.txt\`. Confere-se sem o
sistema que o gerou e sem rede:

- com Node 20 ou mais novo: \`node verify.mjs . --key "<chave impressa na ata>"\`
- sem instalar nada: abra \`verify.html\` no navegador, informe a chave e escolha esta pasta.

Sem a chave da ata, usa-se a que veio na pasta: compare então a impressão digital mostrada com a da ata.

| arquivo | contém |
| --- | --- |
| \`ledger.json\` | nome do livro, tamanho, raiz, chaves públicas e o recorte (período, titulares) |
| \`ledger.ndjson\` | um registro por linha, em JSON canônico (RFC 8785); \`[nível, hash]\` substitui registros fora do recorte |
| \`checkpoint.txt\` | tamanho e raiz assinados (Ed25519, C2SP tlog-checkpoint) |
| \`checkpoints.ndjson\` | um checkpoint anterior por dia, com a prova de que o livro só cresceu (RFC 6962) |
| \`deliveries.ndjson\` | as entregas concluídas, ou só o hash das que estão fora do recorte |
| \`subjects.ndjson\` | por titular: a última palavra, ou a prova de que não há registro |
| \`payloads.ndjson\` | conteúdo dos registros (dados pessoais), quando incluído, ou o registro da destruição da chave |

O que isto prova: nenhum registro foi alterado, apagado, inserido ou trocado de lugar desde que o checkpoint foi
assinado ou copiado para fora. O que não prova: que os dados eram verdadeiros quando foram registrados.
`
