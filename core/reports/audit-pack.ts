/**
 * What an inquiry is given: one folder that a person can read and a machine can check without the hub. Cut to a
 * period and to people; of everybody else only hashes, counts and no line.
 */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exportRopa } from '../../consent/reports/ropa-export.ts'
import type { Config } from '../../schemas/config.ts'
import type { Ropa } from '../../schemas/records.ts'
import type { Keys } from '../keys.ts'
import { exportLedger } from '../ledger/export.ts'
import { asRun } from '../retention/run.ts'
import { chunks, type Db } from '../stores/open.ts'
import { listIncidents } from './incidents.ts'

export interface AuditScope {
  /** Epoch milliseconds. */
  readonly from: number
  /** Epoch milliseconds, itself outside. */
  readonly to: number
  /** Ledger subjects; everybody when absent. */
  readonly subjects?: readonly string[]
  /** The contents of the disclosed ledger entries too: personal data. */
  readonly payloads?: boolean
}

export interface AuditPack {
  readonly files: readonly { readonly name: string; readonly sha256: string; readonly bytes: number }[]
  readonly requests: number
  readonly runs: number
  readonly notices: number
  readonly looks: number
  readonly entries: number
  /** People of the scope that the hub knows. */
  readonly people: number | null
}

export interface AuditPorts {
  readonly db: Db
  readonly keys: Keys
  readonly config: Config
  /** The record of art. 37 as of the end of the period. */
  readonly ropa: Ropa
  readonly now: number
}

const iso = (at: number | null): string => (at === null ? '' : new Date(at).toISOString())

/** @throws NothingSigned when the ledger has no checkpoint: sign one first. */
export async function writeAuditPack(ports: AuditPorts, dir: string, scope: AuditScope): Promise<AuditPack> {
  const { db, keys, now } = ports
  await mkdir(dir, { recursive: true })
  const subjects = scope.subjects && [...new Set(scope.subjects)]
  const people = subjects && (await peopleOf(subjects, db))
  const ledger = await exportLedger({ db, keys, now }, join(dir, 'livro'), {
    from: scope.from,
    to: scope.to,
    ...(subjects && { subjects: [...new Set([...subjects, ...people!.subjects])] }),
    ...(scope.payloads && { payloads: true }),
  })
  const notices = await writeNotices(ports, join(dir, 'avisos'), scope)
  await writePolicies(ports, join(dir, 'politica'), scope)
  const requests = await writeRequests(ports, dir, scope, people)
  const runs = await writeRetention(ports, dir, scope, people)
  await writeRecords(ports, join(dir, 'ropa'), scope)
  if (!subjects) await writeIncidents(ports, dir, scope)
  const looks = await writeAccess(ports, dir, scope, people)
  await writeFile(join(dir, 'LEIA-ME.md'), readMe(ports, scope))
  const files = await manifest(dir)
  await writeFile(
    join(dir, 'manifesto.json'),
    `${JSON.stringify(
      {
        format: 'anuente-audit/1',
        organization: ports.config.organization.name,
        madeAt: iso(now),
        from: iso(scope.from),
        to: iso(scope.to),
        subjects: subjects ?? null,
        payloads: scope.payloads ?? false,
        files,
      },
      null,
      2,
    )}\n`,
  )
  return {
    files,
    requests,
    runs,
    notices,
    looks,
    entries: ledger.disclosed,
    people: people ? people.ids.size : null,
  }
}

interface People {
  readonly ids: ReadonlySet<string>
  /** Every ledger subject of these people: a person may have several. */
  readonly subjects: ReadonlySet<string>
}

async function peopleOf(subjects: readonly string[], db: Db): Promise<People> {
  const ids = new Set<string>()
  for (const part of chunks(subjects)) {
    const rows = await db.selectFrom('nodes').select('person_id').where('subject', 'in', part).execute()
    for (const { person_id } of rows) ids.add(person_id)
  }
  const all = new Set<string>()
  for (const part of chunks([...ids])) {
    const rows = await db.selectFrom('nodes').select('subject').where('person_id', 'in', part).execute()
    for (const { subject } of rows) all.add(subject)
  }
  return { ids, subjects: all }
}

/** Texts by which people were told: published until the end of the period. */
async function writeNotices({ db }: AuditPorts, dir: string, { to }: AuditScope): Promise<number> {
  const rows = await db
    .selectFrom('notices')
    .selectAll()
    .where('published_at', '<', to)
    .orderBy('id')
    .orderBy('version')
    .execute()
  if (rows.length > 0) await mkdir(dir, { recursive: true })
  for (const row of rows)
    await writeFile(
      join(dir, `${row.id}-${row.version}.md`),
      `<!-- desde ${row.since}; SHA-256 ${row.text_sha256}; registro ${row.entry_id} -->\n${row.text}\n`,
    )
  return rows.length
}

/** The policies in force at the beginning of the period and those that came within it. */
async function writePolicies({ db }: AuditPorts, dir: string, { from, to }: AuditScope): Promise<void> {
  const rows = await db.selectFrom('policy_versions').selectAll().where('at', '<', to).orderBy('at').execute()
  const before = rows.filter(({ at }) => at < from).at(-1)
  const wanted = rows.filter((row) => row.at >= from || row === before)
  if (wanted.length > 0) await mkdir(dir, { recursive: true })
  for (const { hash, at, body } of wanted)
    await writeFile(
      join(dir, `${iso(at).slice(0, 10)}-${hash.slice(0, 12)}.json`),
      `${JSON.stringify({ hash, since: iso(at), ...(JSON.parse(body) as object) }, null, 2)}\n`,
    )
}

async function writeRequests(
  { db, now }: AuditPorts,
  dir: string,
  { from, to }: AuditScope,
  people: People | undefined,
): Promise<number> {
  const rows = await db
    .selectFrom('requests')
    .select([
      'id',
      'kind',
      'right_id',
      'state',
      'channel',
      'received_at',
      'entered_at',
      'due_at',
      'closed_at',
      'outcome',
      'ground',
      'pauses',
      'person_id',
      'subject',
    ])
    .where('received_at', '<', to)
    .where((eb) => eb.or([eb('received_at', '>=', from), eb('closed_at', 'is', null), eb('closed_at', '>=', from)]))
    .orderBy('received_at')
    .execute()
  const mine = rows.filter(
    ({ person_id, subject }) =>
      !people ||
      (person_id !== null && people.ids.has(person_id)) ||
      (subject !== null && people.subjects.has(subject)),
  )
  await writeFile(
    join(dir, 'pedidos.csv'),
    csv([
      [
        'id',
        'tipo',
        'direito',
        'situacao',
        'canal',
        'recebido',
        'registrado',
        'prazo',
        'encerrado',
        'atrasado',
        'resultado',
        'fundamento',
        'pausas',
        'titular',
      ],
      ...mine.map((row) => [
        row.id,
        row.kind,
        row.right_id ?? '',
        row.state,
        row.channel,
        iso(row.received_at),
        iso(row.entered_at),
        iso(row.due_at),
        iso(row.closed_at),
        row.due_at !== null && (row.closed_at ?? now) > row.due_at ? 'sim' : 'nao',
        row.outcome ?? '',
        row.ground ?? '',
        String((JSON.parse(row.pauses) as unknown[]).length),
        row.subject ?? '',
      ]),
    ]),
  )
  return mine.length
}

async function writeRetention(
  { db }: AuditPorts,
  dir: string,
  { from, to }: AuditScope,
  people: People | undefined,
): Promise<number> {
  const runs = await db
    .selectFrom('retention_runs')
    .selectAll()
    .where('started_at', '>=', from)
    .where('started_at', '<', to)
    .orderBy('started_at')
    .execute()
  const approvals = await db.selectFrom('retention_approvals').selectAll().where('approved_at', '<', to).execute()
  const holds = await db.selectFrom('legal_holds').selectAll().where('set_at', '<', to).orderBy('set_at').execute()
  await writeFile(
    join(dir, 'retencao.json'),
    `${JSON.stringify(
      {
        runs: runs.map((row) => ({
          ...asRun(row),
          startedAt: iso(row.started_at),
          asOf: iso(row.as_of),
          finishedAt: iso(row.finished_at),
        })),
        approvals: approvals.map(({ policy_id, policy_hash, plan_hash, approved_by, approved_at, count }) => ({
          policy: policy_id,
          hash: policy_hash,
          plan: plan_hash,
          by: approved_by,
          at: iso(approved_at),
          count,
        })),
        holds: holds
          .filter(
            (hold) =>
              (hold.released_at === null || hold.released_at >= from) &&
              (!people || hold.person_id === null || people.ids.has(hold.person_id)),
          )
          .map(({ id, kind, class: of, ref, set_by, set_at, released_by, released_at }) => ({
            id,
            kind,
            class: of,
            ref,
            setBy: set_by,
            setAt: iso(set_at),
            releasedBy: released_by,
            releasedAt: iso(released_at),
          })),
      },
      null,
      2,
    )}\n`,
  )
  return runs.length
}

async function writeRecords({ db, ropa }: AuditPorts, dir: string, { from, to }: AuditScope): Promise<void> {
  await mkdir(dir, { recursive: true })
  for (const format of ['csv', 'json', 'html'] as const) {
    const { name, text } = exportRopa(ropa, format, 'pt')
    await writeFile(join(dir, name), text)
  }
  const rows = await db
    .selectFrom('ropa_snapshots')
    .selectAll()
    .where('at', '>=', from)
    .where('at', '<', to)
    .orderBy('at')
    .execute()
  for (const { at, hash, body } of rows)
    await writeFile(join(dir, `mudou-em-${iso(at).replaceAll(':', '')}-${hash.slice(0, 12)}.json`), `${body}\n`)
}

async function writeIncidents({ db, config, now }: AuditPorts, dir: string, { from, to }: AuditScope): Promise<void> {
  const incidents = (await listIncidents(config, db, now)).filter(
    ({ registeredAt }) => registeredAt >= from && registeredAt < to,
  )
  await writeFile(join(dir, 'incidentes.json'), `${JSON.stringify(incidents, null, 2)}\n`)
}

async function writeAccess(
  { db }: AuditPorts,
  dir: string,
  { from, to }: AuditScope,
  people: People | undefined,
): Promise<number> {
  const rows = await db
    .selectFrom('access_log')
    .selectAll()
    .where('at', '>=', from)
    .where('at', '<', to)
    .orderBy('at')
    .orderBy('id')
    .execute()
  const mine = rows.filter(({ target }) => !people || people.ids.has(target) || people.subjects.has(target))
  await writeFile(
    join(dir, 'acessos.csv'),
    csv([
      ['quando', 'quem', 'ato', 'alvo', 'motivo', 'pedido'],
      ...mine.map(({ at, actor, act, target, reason, request }) => [
        iso(at),
        actor,
        act,
        target,
        reason ?? '',
        request ?? '',
      ]),
    ]),
  )
  return mine.length
}

async function manifest(dir: string): Promise<AuditPack['files']> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(dir.length + 1)
        .replaceAll('\\', '/'),
    )
    .filter((name) => name !== 'manifesto.json')
    .sort()
  const files: { name: string; sha256: string; bytes: number }[] = []
  for (const name of names) {
    const bytes = await readFile(join(dir, name))
    files.push({ name, sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length })
  }
  return files
}

function csv(rows: readonly (readonly string[])[]): string {
  const cell = (text: string) => {
    const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
    return /[";\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
  }
  return `\ufeff${rows.map((row) => row.map(cell).join(';')).join('\r\n')}\r\n`
}

function readMe({ config, now }: AuditPorts, { from, to, subjects, payloads }: AuditScope): string {
  return `# Pacote de auditoria

${config.organization.name}, feito em ${iso(now)}.

Período: de ${iso(from)} até antes de ${iso(to)}. Titulares: ${subjects ? `${subjects.length}, indicados por pseudônimo` : 'todos, por pseudônimo'}.
${
  payloads
    ? '\n**Contém dados pessoais** (`livro/payloads.ndjson`): guarde em lugar seguro e elimine quando não for mais preciso.\n'
    : '\nNão contém contato nem texto livre de ninguém. Elimine quando não for mais preciso: esta pasta não tem prazo próprio.\n'
}
| parte | o que é |
| --- | --- |
| \`livro/\` | o livro de consentimento, com \`verify.mjs\` e \`verify.html\`: o próprio LEIA-ME diz como conferir sem o sistema e sem rede |
| \`avisos/\` | os textos com que as pessoas foram informadas, por versão (LGPD art. 9) |
| \`politica/\` | finalidades, destinos e prazos em vigor no período |
| \`pedidos.csv\` | pedidos de titulares, com prazos (art. 18 e 19) |
| \`retencao.json\` | eliminações aprovadas e feitas, e ordens de preservação (art. 15 e 16) |
| \`ropa/\` | registro das operações de tratamento (art. 37) e cada mudança dele no período |
${subjects ? '' : '| \\`incidentes.json\\` | registro de incidentes (art. 48; Res. CD/ANPD 15/2024) |\n'}| \`acessos.csv\` | quem olhou quem, e por quê |
| \`manifesto.json\` | SHA-256 de cada arquivo desta pasta |

Conferir o livro: \`node livro/verify.mjs livro --key "<chave impressa na ata>"\`, ou abrir \`livro/verify.html\` no navegador.
Cada execução de \`retencao.json\` tem no livro um registro \`retention.run\` com o mesmo \`root\`; cada texto de \`avisos/\`
tem o registro indicado na primeira linha.
`.replaceAll('\\`', '`')
}
