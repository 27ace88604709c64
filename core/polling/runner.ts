/** Asks the sources that have to be asked. What they answer goes through the same ingest as what others send. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SourceSettings } from '../config.ts'
import type { PolledAnswer, PollPage, RawRequest } from '../kit/define.ts'
import { AuthenticationError, InputError, RejectedError, RetryableError } from '../kit/errors.ts'
import { createHttp, type Transport } from '../kit/http.ts'
import { type ClosableTransport, createTransport } from '../kit/transport.ts'
import { type Command, CommandError, type CommandResult } from '../server/context.ts'
import { type IngestPorts, isRefusal, normalize, record } from '../stages/ingest.ts'
import type { StateStore } from '../stores/open.ts'
import type { PollTurn } from './commands.ts'
import { duePolls } from './list.ts'

const TICK_MS = 1000
const TIMEOUT_MS = 30_000
const BEHIND_MS = 2000

export interface PollPorts {
  readonly ingest: IngestPorts
  readonly state: Pick<StateStore, 'db'>
  /** Folder of the configuration file. */
  readonly home: string
  /** `network.allow` of the configuration. */
  readonly allowPrivate: readonly string[]
  readonly run: (command: Command) => Promise<CommandResult>
  readonly fault: (error: unknown) => void
  readonly clock: () => number
  /** Tests: another way to carry bytes. */
  readonly transportFor?: ((sourceId: string) => Transport | undefined) | undefined
}

export interface PollRun {
  readonly pages: number
  readonly recorded: number
  readonly quarantined: number
  /** Code, when it ended early. */
  readonly error?: string
}

export interface Poller {
  /** One run now, whether due or not; undefined when it is being asked already. */
  now(sourceId: string): Promise<PollRun | undefined>
  stop(): Promise<void>
}

export function isPolled({ definition, settings }: SourceSettings): boolean {
  return definition.poll?.every(settings) !== undefined
}

export function startPoller(ports: PollPorts): Poller {
  const polled = new Map([...ports.ingest.sources].filter(([, source]) => isPolled(source)))
  const running = new Map<string, Promise<PollRun | undefined>>()
  const transports: ClosableTransport[] = []
  let stopped = false

  const once = (source: SourceSettings, force: boolean): Promise<PollRun | undefined> => {
    const known = running.get(source.id)
    if (known) return known
    const run = runOnce(source, force, ports, () => stopped, transports).finally(() => running.delete(source.id))
    running.set(source.id, run)
    return run
  }

  // Reading is all that a source costs which is not due: a turn is taken by a write of the process role.
  const look = async (): Promise<void> => {
    for (const id of await duePolls(polled.keys(), ports.state.db, ports.clock()))
      if (!stopped) once(polled.get(id)!, false).catch((error) => ports.fault(error))
  }
  let looking: Promise<void> | undefined
  const tick = () => {
    looking ??= look()
      .catch((error) => ports.fault(error))
      .finally(() => {
        looking = undefined
      })
  }
  const timer = polled.size > 0 ? setInterval(tick, TICK_MS).unref() : undefined

  return {
    async now(sourceId) {
      const source = ports.ingest.sources.get(sourceId)
      if (!source) throw new CommandError('NOT_FOUND', `no source is called ${sourceId.slice(0, 60)}.`)
      if (!isPolled(source))
        throw new CommandError('INVALID', `${sourceId} is not asked for anything: it has no folder and no poll.`)
      return once(source, true)
    },
    async stop() {
      stopped = true
      clearInterval(timer)
      await looking
      await Promise.allSettled(running.values())
      for (const transport of transports) await transport.close()
    },
  }
}

async function runOnce(
  source: SourceSettings,
  force: boolean,
  ports: PollPorts,
  isStopped: () => boolean,
  transports: ClosableTransport[],
): Promise<PollRun | undefined> {
  const poll = source.definition.poll!
  const command = async (name: string, args: Record<string, unknown>): Promise<unknown> => {
    const result = await ports.run({ name, args: { source: source.id, ...args }, actor: 'hub' })
    if (!result.ok) throw new CommandError(result.code, result.message)
    return result.value
  }
  const turn = (await command('beginPoll', { force })) as PollTurn | null
  if (!turn) return undefined
  const { token } = turn
  let done: PollRun = { pages: 0, recorded: 0, quarantined: 0 }
  let error: string | undefined
  try {
    const get = getter(source, ports, transports)
    const pages = poll.pages({
      settings: source.settings,
      cursor: turn.cursor,
      now: new Date(ports.clock()),
      home: ports.home,
      get,
    })
    for await (const page of pages) {
      const taken = await take(page, source, ports, isStopped)
      if (!taken) break
      await command('keepPoll', { token, cursor: page.cursor, ...taken })
      await page.done?.()
      done = {
        pages: done.pages + 1,
        recorded: done.recorded + taken.recorded,
        quarantined: done.quarantined + taken.quarantined,
      }
      if (isStopped()) break
    }
  } catch (failure) {
    error = codeOf(failure)
    if (error === undefined) throw failure
  } finally {
    if (error !== 'CONFLICT')
      await command('endPoll', { token, everySeconds: poll.every(source.settings) ?? 60, ...(error && { error }) })
  }
  return error === undefined ? done : { ...done, error }
}

/** What a person can act on; anything else is a bug and is told as one. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof CommandError) return error.code
  if (error instanceof AuthenticationError) return 'UNAUTHORIZED'
  if (error instanceof RejectedError) return 'REJECTED'
  if (error instanceof RetryableError) return 'UNREACHABLE'
  if (error instanceof InputError) return error.code
  const system = (error as NodeJS.ErrnoException).code
  return typeof system === 'string' && /^E[A-Z]{2,20}$/.test(system) ? system : undefined
}

/** @returns undefined when the hub stopped before there was room. */
async function take(
  page: PollPage,
  source: SourceSettings,
  { ingest, clock }: PollPorts,
  isStopped: () => boolean,
): Promise<{ recorded: number; quarantined: number } | undefined> {
  if (!page.body) return { recorded: 0, quarantined: 0 }
  while (ingest.log.size() > ingest.maxLogBytes) {
    if (isStopped()) return undefined
    await sleep(BEHIND_MS)
  }
  const request: RawRequest = {
    method: 'POST',
    path: `/in/${source.id}`,
    query: page.query ?? {},
    headers: { 'content-type': 'application/json' },
    body: page.body,
    receivedAt: new Date(clock()).toISOString(),
  }
  const normalized = normalize(request, source, ingest)
  if (isRefusal(normalized)) throw new InputError('INVALID', normalized.message)
  const { recorded, quarantined } = await record(normalized, ingest)
  return { recorded, quarantined }
}

function getter(source: SourceSettings, ports: PollPorts, transports: ClosableTransport[]) {
  let transport: Transport | undefined
  return async (url: string, options: { headers?: Readonly<Record<string, string>> } = {}): Promise<PolledAnswer> => {
    if (!transport) {
      transport = ports.transportFor?.(source.id)
      if (!transport) {
        const own = createTransport({
          allowPrivate: [...ports.allowPrivate],
          timeoutMs: TIMEOUT_MS,
          hosts: [...source.definition.poll!.hosts(source.settings)],
        })
        transports.push(own)
        transport = own
      }
    }
    const http = createHttp({
      baseUrl: '',
      headers: {},
      slot: (job) => job(),
      lastLook: async () => {},
      transport,
    })
    return http.lookup(url, options)
  }
}
