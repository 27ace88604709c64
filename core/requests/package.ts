/** The files of an answer: readable HTML, JSON Lines with their schema, and a signed list of their hashes. */
import { createHash } from 'node:crypto'
import { formatVerifierKey, signNote } from '../../consent/ledger/note.ts'
import type { Keys } from '../keys.ts'
import { currentSigner } from '../ledger/keyring.ts'
import { readHead } from '../ledger/rows.ts'
import type { Db } from '../stores/open.ts'
import { statementHtml } from './package-html.ts'
import type { Statement } from './statement.ts'

export interface PackageFile {
  readonly name: string
  readonly mediaType: string
  readonly content: Buffer
}

const LINE_KINDS = [
  'field',
  'event',
  'purpose',
  'category',
  'recipient',
  'decision',
  'consent',
  'notice',
  'erased',
  'kept',
  'receipt',
] as const

/** JSON Schema (2020-12) of each line of dados.jsonl. */
const LINE_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://anuente.dev/schemas/subject-package.json',
  title: 'A line of dados.jsonl',
  description:
    'Times are epoch milliseconds, UTC. `origin` is the source that told the hub; `purposes` why it was kept.',
  type: 'object',
  required: ['kind'],
  properties: {
    kind: { enum: LINE_KINDS },
    path: { type: 'string', description: 'field: name of the trait, contact or identifier.' },
    value: { description: 'field: as it is stored.' },
    origin: { type: 'string' },
    at: { type: 'integer' },
    purposes: { type: 'array', items: { type: 'string' } },
    name: { type: 'string' },
    content: { type: 'object', description: 'event: properties, traits and context that were kept.' },
    firstAt: { type: 'integer', description: 'recipient: first time data went there.' },
    lastAt: { type: 'integer' },
    entryId: { type: 'string', description: 'consent: its entry in the ledger.' },
    status: { type: 'string' },
    text: { type: 'string', description: 'notice: the words that were shown.' },
    count: { type: 'integer' },
    ground: { type: 'string', description: 'kept: article that has it kept.' },
  },
} as const

export function packageLines(statement: Statement): string {
  const lines: object[] = []
  const add = (kind: (typeof LINE_KINDS)[number], rows: readonly object[]) => {
    for (const row of rows) lines.push({ kind, ...row })
  }
  add('field', statement.fields)
  add('event', statement.events)
  add('purpose', statement.purposes)
  add('category', statement.categories)
  add('recipient', statement.recipients)
  add('decision', statement.decisions)
  add('consent', statement.consents)
  add('notice', statement.notices)
  add('erased', statement.erased)
  add('kept', statement.kept)
  add(
    'receipt',
    statement.receipts.map(({ kind: recipientKind, ...receipt }) => ({ recipientKind, ...receipt })),
  )
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('')
}

/**
 * All files of an answer, the signature last: a signed note (c2sp.org/signed-note) by the key of the hub's ledger over
 * the SHA-256 of each file.
 */
export async function makePackage(statement: Statement, db: Db, keys: Keys): Promise<PackageFile[]> {
  const files: PackageFile[] = [
    {
      name: statement.language === 'pt' ? 'resposta.html' : 'answer.html',
      mediaType: 'text/html',
      content: Buffer.from(statementHtml(statement)),
    },
    { name: 'dados.jsonl', mediaType: 'application/x-ndjson', content: Buffer.from(packageLines(statement)) },
    {
      name: 'esquema.json',
      mediaType: 'application/json',
      content: Buffer.from(`${JSON.stringify(LINE_SCHEMA, null, 2)}\n`),
    },
  ]
  const head = await readHead(db)
  if (!head) return files
  const signer = await currentSigner(db, keys, head.origin)
  const text = `${head.origin}\nsubject-package ${statement.requestId}\n${files.map(({ name, content }) => `${sha256(content)} ${name}\n`).join('')}`
  return [
    ...files,
    {
      name: 'assinatura.txt',
      mediaType: 'text/plain',
      content: Buffer.from(`${signNote(text, [signer])}`),
    },
    { name: 'chave.txt', mediaType: 'text/plain', content: Buffer.from(`${formatVerifierKey(signer)}\n`) },
  ]
}

export const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')
