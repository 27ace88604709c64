/**
 * Requests that came on paper, by telephone or by e-mail, from a CSV file. Columns may be named in Portuguese or
 * English; the day of arrival starts the clock.
 */
import { parse } from 'csv-parse/sync'
import { IDENTIFIER_TYPES, type IdentifierType } from '../../schemas/event.ts'
import { ASSURANCES, type NewRequest, REQUEST_CHANNELS, type RequestImported, RIGHTS } from '../../schemas/requests.ts'

const COLUMNS: Readonly<Record<string, string>> = {
  direito: 'right',
  canal: 'channel',
  chegada: 'receivedAt',
  recebido_em: 'receivedAt',
  received_at: 'receivedAt',
  telefone: 'phone',
  nome: 'name',
  contato: 'contact',
  texto: 'text',
  idioma: 'language',
  referencia: 'reference',
  identidade: 'assurance',
  verificacao: 'identityCheck',
  identity_check: 'identityCheck',
  representante: 'representative',
  tipo_representante: 'representativeKind',
  representative_kind: 'representativeKind',
  procuracao: 'representativeProof',
  representative_proof: 'representativeProof',
}
const CHANNELS_PT: Readonly<Record<string, string>> = {
  carta: 'letter',
  'e-mail': 'email',
  telefone: 'phone',
  presencial: 'in_person',
  chat: 'chat',
  outro: 'other',
}
const RIGHTS_PT: Readonly<Record<string, string>> = {
  confirmacao: 'confirmation',
  acesso: 'access',
  correcao: 'correction',
  bloqueio: 'restriction',
  anonimizacao: 'restriction',
  portabilidade: 'portability',
  eliminacao: 'erasure',
  exclusao: 'erasure',
  compartilhamento: 'sharing',
  informacao: 'consent_information',
  revogacao: 'revocation',
  oposicao: 'opposition',
  revisao: 'review',
}

export interface ReadRows {
  readonly rows: readonly { readonly row: number; readonly request: NewRequest }[]
  readonly errors: RequestImported['errors']
}

const plain = (text: string) => text.normalize('NFD').replace(/\p{M}/gu, '').trim().toLowerCase()

/** Errors name row and column, never a value. Rows count from 2: the first one holds the names. */
export function readRequestRows(csv: string): ReadRows {
  let records: Record<string, string>[]
  try {
    records = parse(csv, {
      bom: true,
      columns: (names: string[]) =>
        names.map((name) => COLUMNS[plain(name)] ?? (plain(name) === 'receivedat' ? 'receivedAt' : plain(name))),
      delimiter: (csv.split('\n', 1)[0] ?? '').includes(';') ? ';' : ',',
      trim: true,
      skip_empty_lines: true,
      relax_column_count: true,
    }) as Record<string, string>[]
  } catch {
    return {
      rows: [],
      errors: [{ row: 1, column: '', message: 'This is no CSV file: names in the first row, one request per row.' }],
    }
  }
  const rows: { row: number; request: NewRequest }[] = []
  const errors: { row: number; column: string; message: string }[] = []
  for (const [index, record] of records.entries()) {
    const row = index + 2
    const wrong = (column: string, message: string) => errors.push({ row, column, message })
    const before = errors.length
    const right = RIGHTS_PT[plain(record['right'] ?? '')] ?? plain(record['right'] ?? '')
    if (!(RIGHTS as readonly string[]).includes(right)) wrong('right', `Write one of: ${RIGHTS.join(', ')}.`)
    const channel = CHANNELS_PT[plain(record['channel'] ?? '')] ?? plain(record['channel'] ?? '')
    if (!(REQUEST_CHANNELS as readonly string[]).includes(channel))
      wrong('channel', `Write one of: ${REQUEST_CHANNELS.join(', ')}.`)
    const receivedAt = isoDay(record['receivedAt'] ?? '')
    if (receivedAt === undefined) wrong('receivedAt', 'Write the day of arrival: 2026-11-24 or 24/11/2026.')
    const identifiers = IDENTIFIER_TYPES.flatMap((type) => {
      const value = record[type] ?? record[type.toLowerCase()]
      return value ? [{ type: type as IdentifierType, value }] : []
    })
    if (identifiers.length === 0) wrong('email', 'Give an e-mail, phone, cpf or userId: whom is it about?')
    const assurance = plain(record['assurance'] ?? '') || 'claimed'
    if (!(ASSURANCES as readonly string[]).includes(assurance))
      wrong('assurance', `Write one of: ${ASSURANCES.join(', ')}.`)
    const kind = plain(record['representativeKind'] ?? '') || 'other'
    if (record['representative'] && !record['representativeProof'])
      wrong('representativeProof', 'Say what shows the power to act.')
    if (!['guardian', 'lawyer', 'proxy', 'other'].includes(kind))
      wrong('representativeKind', 'Write guardian, lawyer, proxy or other.')
    if (errors.length > before) continue
    rows.push({
      row,
      request: {
        kind: 'subject',
        right: right as NonNullable<NewRequest['right']>,
        channel: channel as NewRequest['channel'],
        receivedAt: receivedAt!,
        identifiers,
        assurance: assurance as NonNullable<NewRequest['assurance']>,
        ...(record['name'] && { name: record['name'].slice(0, 200) }),
        ...(record['contact'] && { contact: record['contact'].slice(0, 254) }),
        ...(record['text'] && { text: record['text'].slice(0, 4000) }),
        ...(plain(record['language'] ?? '').startsWith('en') && { language: 'en' as const }),
        ...(record['reference'] && { reference: record['reference'].slice(0, 200) }),
        ...(record['identityCheck'] && { identityCheck: record['identityCheck'].slice(0, 500) }),
        ...(record['representative'] && {
          representative: {
            name: record['representative'].slice(0, 200),
            kind: kind as 'guardian' | 'lawyer' | 'proxy' | 'other',
            proof: (record['representativeProof'] ?? '').slice(0, 500),
          },
        }),
      },
    })
  }
  return { rows, errors }
}

function isoDay(text: string): string | undefined {
  const local = /^(\d{2})\/(\d{2})\/(\d{4})$/.exec(text.trim())
  const iso = local ? `${local[3]}-${local[2]}-${local[1]}` : text.trim()
  return /^\d{4}-\d{2}-\d{2}(T.+)?$/.test(iso) && !Number.isNaN(Date.parse(iso)) ? iso : undefined
}
