import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { LoadedConfig } from '../core/config.ts'
import type { Keys } from '../core/keys.ts'
import type { StateStore } from '../core/stores/open.ts'
import type { CheckpointAnswer, LedgerProof } from '../schemas/ledger.ts'
import { runHubCommand } from './hub-command.ts'
import { openToRead } from './open-to-read.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, colors, progress, table, writeJson, writeLine } from './output.ts'

interface VerifyOptions extends StandardOptions {
  readonly payloads?: boolean
  readonly checkpoint?: string[]
}
interface ProveOptions extends StandardOptions {
  readonly out?: string
  readonly withPayload?: boolean
  readonly reason?: string
  readonly subject?: boolean
}
interface ReceiptOptions extends StandardOptions {
  readonly key?: string
}
interface RotateOptions extends StandardOptions {
  readonly reason: string
}
interface MinutesOptions extends StandardOptions {
  readonly out?: string
  readonly lang?: string
}

export function addLedger(program: Command, cli: Cli): void {
  const ledger = program
    .command('ledger')
    .summary('verify, prove and sign the consent ledger')
    .description('The append-only record of every consent, and what can be proved from it. docs/ledger.md explains.')

  standard(
    ledger
      .command('verify')
      .description('Check every entry, chain, checkpoint, copy, payload and settled delivery. Changes nothing.')
      .option('--no-payloads', 'do not open every payload (faster)')
      .option('--checkpoint <file...>', 'also hold the ledger against checkpoints from paper or elsewhere')
      .action((options: VerifyOptions) => verify(options, cli)),
    ['anuente ledger verify', 'anuente ledger verify --json --checkpoint ata-2026-03.txt'],
  )
  standard(
    ledger
      .command('prove')
      .argument('<id>', 'entry id; with --subject a ledger subject (s_…)')
      .description('The receipt of one entry, or the last word of a subject (or that it has no entry).')
      .option('--subject', 'prove the last word of a subject, or its absence')
      .option('--out <file>', 'write the receipt (.tlog-proof) here')
      .option('--with-payload', 'put the payload into the receipt: personal data, logged with the reason')
      .option('--reason <text>', 'why the payload is needed, e.g. the number of the request')
      .action((id: string, options: ProveOptions) => prove(id, options, cli)),
    [
      'anuente ledger prove 01K8V3M4ZQ8Q6T1XJ2N5RZ0W7B --out recibo.tlog-proof',
      'anuente ledger prove s_4b0f… --subject --json',
      'anuente ledger prove 01K8V3… --with-payload --reason "pedido 2026-17" --out recibo.tlog-proof',
    ],
  )
  standard(
    ledger
      .command('consistency')
      .argument('<checkpoint>', 'file with a signed checkpoint, or a number of entries')
      .argument('[later]', 'a later one; the newest signed one when absent')
      .description('Prove that an older checkpoint is the beginning of a later one.')
      .action((first: string, second: string | undefined, options: StandardOptions) =>
        consistency(first, second, options, cli),
      ),
    ['anuente ledger consistency ata.txt', 'anuente ledger consistency 1200 3400 --json'],
  )
  standard(
    ledger
      .command('checkpoint')
      .description('Number what waits, sign the tree, and copy the checkpoint to ledger.anchors.folder.')
      .action((options: StandardOptions) => checkpoint(options, cli)),
    ['anuente ledger checkpoint', 'anuente ledger checkpoint --json'],
  )
  standard(
    ledger
      .command('verify-receipt')
      .argument('<file>', 'receipt (.tlog-proof)')
      .description('Check a receipt. With --key neither hub nor configuration is needed.')
      .option('--key <verifier>', 'public key of the ledger as printed in the minutes (name+hash+base64)')
      .action((file: string, options: ReceiptOptions) => verifyReceipt(file, options, cli)),
    [
      'anuente ledger verify-receipt recibo.tlog-proof',
      'anuente ledger verify-receipt recibo.tlog-proof --key "hub.loja.example/ledger/…+5e3e…+AYqI…"',
    ],
  )
  standard(
    ledger
      .command('rotate-key')
      .description('A new signing key takes over: an entry names both, and one checkpoint is signed by both.')
      .requiredOption('--reason <text>', 'why; it is kept in the ledger')
      .action((options: RotateOptions) => rotateKey(options, cli)),
    ['anuente ledger rotate-key --reason "troca anual"'],
  )
  standard(
    ledger
      .command('minutes')
      .description('The newest checkpoint as a page to print, sign by hand and keep elsewhere (ata), with a QR code.')
      .option('--out <file>', 'HTML file (default: ata-<entries>.html)')
      .option('--lang <language>', 'pt or en (default: pt)')
      .action((options: MinutesOptions) => minutes(options, cli)),
    ['anuente ledger minutes', 'anuente ledger minutes --lang en --out minutes.html'],
  )
}

/** Reads beside a running hub; databases load only where they are used. */
async function reading<T>(
  options: StandardOptions,
  cli: Cli,
  work: (place: { loaded: LoadedConfig; state: StateStore; keys: Keys }) => Promise<T>,
): Promise<T> {
  const loaded = await openConfig(options, cli)
  const { createKeys, loadMasterKey } = await import('../core/keys.ts')
  const state = await openToRead(loaded)
  try {
    return await work({
      loaded,
      state,
      keys: createKeys(loadMasterKey(join(loaded.dataDir, 'master.key'), cli.env)),
    })
  } finally {
    await state.close()
  }
}

const NO_LEDGER = new CliError('NO_DATA', 'this hub has no ledger yet: start it once with anuente serve')

async function verify(options: VerifyOptions, cli: Cli): Promise<void> {
  const notes = await Promise.all(
    (options.checkpoint ?? []).map(async (name) => ({ name, note: await readText(name) })),
  )
  await reading(options, cli, async ({ loaded, state, keys }) => {
    const [{ verifyState }, { ledgerSettings }, { readHead }] = await Promise.all([
      import('../core/ledger/verify.ts'),
      import('../core/ledger/settings.ts'),
      import('../core/ledger/rows.ts'),
    ])
    const bar = progress(cli, 'entries', (await readHead(state.db))?.size)
    const report = await verifyState(state, {
      keys,
      anchorFolder: ledgerSettings(loaded).anchorFolder,
      notes,
      payloads: options.payloads ?? true,
      onProgress: bar.add,
    }).finally(bar.end)
    if (!report) throw NO_LEDGER
    if (!report.ok) cli.exit(2)
    if (options.json) return writeJson(cli.stdout, report)
    const c = colors(cli)
    const lines = report.findings.map(({ code, what, message }) => [c.red(code), what, message])
    if (lines.length > 0) await writeLine(cli.stdout, table(lines))
    const more = Object.values(report.counts).reduce((sum, count) => sum + count, 0) - lines.length
    if (more > 0) await writeLine(cli.stdout, `and ${more} more of the same kinds`)
    await writeLine(
      cli.stdout,
      table([
        ['ledger', report.origin],
        ['entries', `${report.size} numbered, ${report.pending} pending, of ${report.subjects} subjects`],
        ['root', report.root],
        [
          'held against',
          `${report.checkpoints} checkpoints, ${report.anchors} copies, ${report.stateRoots} state roots`,
        ],
        ['deliveries', String(report.deliveries)],
        ['payloads', `${report.payloads} fit, ${report.destroyed} destroyed as entered`],
        ...(report.clockBehind > 0 ? [['clock', `was behind the ledger ${report.clockBehind} times`]] : []),
      ]),
    )
    await writeLine(cli.stdout, report.ok ? c.green('OK: the ledger verifies.') : c.red('The ledger does not verify.'))
  })
}

async function prove(id: string, options: ProveOptions, cli: Cli): Promise<void> {
  if (options.subject) return proveSubject(id, options, cli)
  if (options.withPayload && !options.reason)
    throw new CliError('INVALID', 'a payload is personal data: say why with --reason, it is kept in the access log')
  const proof = options.withPayload
    ? ((await runHubCommand(
        await openConfig(options, cli),
        'ledgerReveal',
        { id, reason: options.reason },
        cli,
      )) as LedgerProof)
    : await reading(options, cli, async ({ state }) =>
        (await import('../core/ledger/prove.ts')).proveEntry(state.db, id),
      )
  if (!proof) throw new CliError('NOT_FOUND', `the ledger has no entry ${id}`)
  if (options.out !== undefined && proof.receipt !== null) await writeFile(options.out, proof.receipt)
  if (options.json) return writeJson(cli.stdout, proof)
  if (proof.receipt === null) {
    await writeLine(cli.stdout, 'pending: no checkpoint covers this entry yet. Sign one: anuente ledger checkpoint')
    return
  }
  if (options.out === undefined) await writeLine(cli.stdout, proof.receipt.trimEnd())
  else
    await writeLine(
      cli.stdout,
      `${options.out}: entry ${proof.entry.seq} of ${proof.checkpoint?.size}, ${proof.entry.type}`,
    )
  const { payload } = proof
  if (payload.state === 'destroyed')
    await writeLine(cli.stderr, `The payload was destroyed by entry ${payload.destroyedBy?.entryId}; the proof holds.`)
  if (payload.state === 'missing') {
    await writeLine(cli.stderr, 'The payload is missing and no entry says why: run anuente ledger verify')
    cli.exit(2)
  }
}

async function proveSubject(subject: string, options: ProveOptions, cli: Cli): Promise<void> {
  const proof = await reading(options, cli, async ({ state }) => {
    const { proveSubjects } = await import('../core/ledger/prove.ts')
    return (await proveSubjects(state.db, [subject]))?.[0]
  })
  if (!proof) throw new CliError('PENDING', 'there is no state.root yet: run anuente ledger checkpoint')
  if (options.out !== undefined) await writeFile(options.out, `${JSON.stringify(proof)}\n`)
  if (options.json) return writeJson(cli.stdout, proof)
  await writeLine(
    cli.stdout,
    proof.says === 'absent'
      ? `${subject} has no entry among the first ${proof.rootEntry.size}.`
      : table(Object.entries(proof.head!.state).map(([purpose, [status, seq]]) => [purpose, status, `entry ${seq}`])),
  )
  await writeLine(cli.stdout, `proved under state.root ${proof.rootEntry.id} (entry ${proof.rootEntry.seq})`)
}

async function consistency(
  first: string,
  second: string | undefined,
  options: StandardOptions,
  cli: Cli,
): Promise<void> {
  await reading(options, cli, async ({ state }) => {
    const [{ readHead, tileReader }, { viewTree }, { newestCheckpoint }, { knownKeys }, note, merkle] =
      await Promise.all([
        import('../core/ledger/rows.ts'),
        import('../consent/ledger/tiles.ts'),
        import('../core/ledger/checkpoint.ts'),
        import('../core/ledger/keyring.ts'),
        import('../consent/ledger/note.ts'),
        import('../consent/ledger/merkle.ts'),
      ])
    const head = await readHead(state.db)
    const newest = await newestCheckpoint(state.db)
    if (!head || !newest) throw new CliError('NO_DATA', 'nothing was signed yet: run anuente ledger checkpoint')
    const known = (await knownKeys(state.db, head.origin)).map(({ key }) => key)
    const view = viewTree(tileReader(state.db))
    const read = async (text: string): Promise<{ size: number; root: Buffer }> => {
      if (!/^\d+$/.test(text)) {
        const opened = note.openCheckpoint(await readText(text), known)
        if (opened.origin !== head.origin) throw new note.NoteError(`it is of another ledger, ${opened.origin}`)
        return opened
      }
      const size = Number(text)
      if (size < 1 || size > head.size)
        throw new CliError('INVALID', `the ledger has ${head.size} entries, not ${size}`)
      return { size, root: await view.root(size) }
    }
    const failed = async (code: string, message: string) => {
      cli.exit(2)
      if (options.json) await writeJson(cli.stdout, { ok: false, code, message })
      else await writeLine(cli.stdout, `${code}: ${message}`)
    }
    let older: { size: number; root: Buffer }
    let later: { size: number; root: Buffer }
    try {
      older = await read(first)
      later = second === undefined ? { size: newest.size, root: Buffer.from(newest.root) } : await read(second)
    } catch (error) {
      if (!(error instanceof note.NoteError)) throw error
      return failed('CHECKPOINT_SIGNATURE', error.message)
    }
    if (older.size > later.size || older.size > head.size)
      return failed('LEDGER_SHORTENED', `the older checkpoint has ${older.size} entries, the later one ${later.size}`)
    const proof = await view.consistency(older.size, later.size)
    if (!merkle.verifyConsistency(older.size, later.size, proof, older.root, later.root))
      return failed('LEDGER_FORKED', `the first ${older.size} entries are not those of the older checkpoint`)
    const shown = proof.map((hash) => hash.toString('base64'))
    if (options.json) return writeJson(cli.stdout, { ok: true, first: older.size, second: later.size, proof: shown })
    await writeLine(cli.stdout, `OK: the first ${older.size} of ${later.size} entries are unchanged.`)
  })
}

async function checkpoint(options: StandardOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const answer = (await runHubCommand(loaded, 'ledgerCheckpoint', {}, cli)) as CheckpointAnswer
  if (options.json) return writeJson(cli.stdout, answer)
  await writeLine(cli.stdout, answer.checkpoint.note.trimEnd())
  for (const file of answer.anchored) await writeLine(cli.stderr, `copied to ${file}`)
  if (!loaded.config.ledger?.anchors)
    await writeLine(
      cli.stderr,
      'No copy outside the database: set ledger.anchors.folder, or print anuente ledger minutes.',
    )
}

async function verifyReceipt(file: string, options: ReceiptOptions, cli: Cli): Promise<void> {
  const [{ checkReceipt, ReceiptError }, { NoteError, parseVerifierKey }] = await Promise.all([
    import('../consent/ledger/receipt.ts'),
    import('../consent/ledger/note.ts'),
  ])
  const text = await readText(file)
  try {
    const keys =
      options.key !== undefined
        ? [parseVerifierKey(options.key)]
        : await reading(options, cli, async ({ state }) => {
            const [{ readHead }, { knownKeys }] = await Promise.all([
              import('../core/ledger/rows.ts'),
              import('../core/ledger/keyring.ts'),
            ])
            const head = await readHead(state.db)
            if (!head) throw NO_LEDGER
            return (await knownKeys(state.db, head.origin)).map(({ key }) => key)
          })
    const { entry, checkpoint: signed, payload } = checkReceipt(text, keys)
    if (options.json)
      return writeJson(cli.stdout, { ok: true, entry, size: signed.size, origin: signed.origin, payload })
    await writeLine(
      cli.stdout,
      table([
        ['OK', `entry ${entry.seq} of ${signed.size} in ${signed.origin}`],
        ['entry', `${entry.id}  ${entry.type}  ${entry.ts}`],
        ['subject', entry.subject],
        ...(entry.purpose === undefined ? [] : [['purpose', `${entry.purpose}: ${entry.status}`]]),
        ['payload', payload === 'fits' ? 'fits the entry' : 'not in this receipt'],
      ]),
    )
  } catch (error) {
    if (error instanceof NoteError) throw new CliError('INVALID', error.message)
    if (!(error instanceof ReceiptError)) throw error
    throw new CliError(error.code, error.message, 2)
  }
}

async function rotateKey(options: RotateOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const value = (await runHubCommand(loaded, 'ledgerRotateKey', { reason: options.reason }, cli)) as {
    readonly from: string
    readonly to: string
  } & CheckpointAnswer
  if (options.json) return writeJson(cli.stdout, value)
  await writeLine(
    cli.stdout,
    table([
      ['old key', value.from],
      ['new key', value.to],
      ['signed by both', `checkpoint of ${value.checkpoint.size} entries`],
    ]),
  )
  await writeLine(cli.stderr, 'Publish the new key and print new minutes: anuente ledger minutes')
}

async function minutes(options: MinutesOptions, cli: Cli): Promise<void> {
  const language = options.lang ?? 'pt'
  if (language !== 'pt' && language !== 'en') throw new CliError('INVALID', '--lang is pt or en')
  const { page, size, loaded } = await reading(options, cli, async (place) => {
    const [{ ledgerStatus }, { ledgerSettings }, { renderMinutes }] = await Promise.all([
      import('../core/ledger/status.ts'),
      import('../core/ledger/settings.ts'),
      import('../consent/ledger/minutes.ts'),
    ])
    const status = await ledgerStatus(place.state.db, ledgerSettings(place.loaded))
    if (!status?.checkpoint) throw new CliError('NO_DATA', 'nothing was signed yet: run anuente ledger checkpoint')
    const { organization, simulated } = place.loaded.config
    const { checkpoint: signed, key } = status
    return {
      loaded: place.loaded,
      size: signed.size,
      page: await renderMinutes(
        {
          organization: organization.name,
          cnpj: organization.cnpj,
          dpo: organization.dpo,
          timezone: place.loaded.timezone,
          origin: status.origin,
          ...signed,
          printedAt: Date.now(),
          verifier: key.verifier,
          fingerprint: key.fingerprint,
          newestEntryAt: status.newestAt,
          simulated: simulated === true,
        },
        language,
      ),
    }
  })
  const out = options.out ?? `ata-${size}.html`
  await writeFile(out, page)
  await runHubCommand(loaded, 'ledgerMinutes', { size }, cli)
  if (options.json) return writeJson(cli.stdout, { file: out, size })
  await writeLine(
    cli.stdout,
    `${out}: ${size} entries. Print it, sign it, keep it where the hub's administrators cannot reach it.`,
  )
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new CliError('NOT_FOUND', `${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
