/** The hub, wired: log, state, the three roles and HTTP. Connectors come in from outside. */

import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import pino, { type Logger } from 'pino'
import { importConsent } from './answers/import.ts'
import { leftInWords, listsLeft } from './audiences/lists.ts'
import { createBacktestDesk } from './backtests/jobs.ts'
import { runBacktest } from './backtests/run.ts'
import { backtestInThread } from './backtests/thread.ts'
import { type LoadedConfig, onPort } from './config.ts'
import { createConnectionDesk } from './connections/flow.ts'
import { createKeepers } from './connections/keepers.ts'
import { connectionStatuses } from './connections/status.ts'
import { commandWriter } from './connections/writer.ts'
import { whyFor } from './explain/person-rule.ts'
import { explain } from './explain.ts'
import { createKeys, loadMasterKey } from './keys.ts'
import type { Registry } from './kit/define.ts'
import type { Transport } from './kit/http.ts'
import { ledgerSettings } from './ledger/settings.ts'
import { type LocalServer, serveLocal, socketPath } from './local-socket.ts'
import { openLogReader, openLogWriter } from './log/sqlite/log.ts'
import { publishPlans } from './plans/publish.ts'
import { startPoller } from './polling/runner.ts'
import { createDesk } from './requests/desk.ts'
import { startDeliver } from './roles/deliver.ts'
import { startProcess } from './roles/process.ts'
import { publishPolicy } from './roles/published-policy.ts'
import { processSettings, publishRules, readSurroundings, ruleBookOf } from './roles/surroundings.ts'
import { type RemoteRole, startThread } from './roles/threads.ts'
import type { FromWorker } from './roles/worker.ts'
import { storeCodes } from './rules/offer-codes.ts'
import { loadWithSecrets } from './secrets/read.ts'
import { registerAdmin } from './server/admin/register.ts'
import { processCommands } from './server/commands.ts'
import { registerConsent } from './server/consent.ts'
import { type Command, CommandError, type CommandResult, type ServerContext } from './server/context.ts'
import { takeFeedback } from './server/feedback.ts'
import { importRows } from './server/import-rows.ts'
import { registerIngest } from './server/ingest.ts'
import { createLiveFeed } from './server/live-feed.ts'
import { createMetrics } from './server/metrics.ts'
import { registerPrivacy } from './server/privacy.ts'
import { redriveQuarantine } from './server/redrive.ts'
import { redriveDeliveries } from './server/redrive-deliveries.ts'
import { reservePort } from './server/reserved-port.ts'
import { faultOf } from './stages/fault.ts'
import type { IngestPorts } from './stages/ingest.ts'
import { openState, type StateStore } from './stores/open.ts'
import { writeTurn } from './stores/turn.ts'

const DEFAULT_MAX_LOG_BYTES = 2 * 1024 ** 3

export interface HubOptions {
  readonly configFile: string
  readonly registry: Registry
  /** Entry of the worker threads; absent: every role runs in this thread (tests, small machines). */
  readonly worker?: URL
  readonly log?: 'silent' | 'json'
  /** Overrides the port of the configuration; 0 is any free one. */
  readonly port?: number
  readonly environment?: NodeJS.ProcessEnv
  /** For tests in one thread: another clock for process and deliver, another way to carry bytes. */
  readonly clock?: () => number
  readonly transportFor?: (destinationId: string) => Transport | undefined
}

export interface Hub {
  /** Where it listens on this machine. */
  readonly url: string
  readonly port: number
  readonly config: LoadedConfig
  readonly state: StateStore
  readonly warnings: readonly string[]
  run(command: Command): Promise<CommandResult>
  /** Everything recorded is processed and everything due has been delivered. */
  drained(): Promise<void>
  /** One-time link for the first administrator; undefined when there is one already. */
  invitation(): Promise<string | undefined>
  close(): Promise<void>
}

/** @throws ConfigError, or an error naming what of the data directory does not fit. */
export async function startHub(options: HubOptions): Promise<Hub> {
  const written = await loadWithSecrets(options.configFile, {
    registry: options.registry,
    ...(options.environment && { env: options.environment }),
  })
  const reserved = await reservePort(options.port ?? written.port, written.host)
  const config = onPort(written, reserved.port)
  const surroundings = readSurroundings(config)
  const logger = pino({ level: options.log === 'silent' ? 'silent' : 'info', base: null }, pino.destination(2))
  const { dataDir } = config
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const master = loadMasterKey(join(dataDir, 'master.key'), options.environment)
  const keys = createKeys(master)

  // The socket is also the lock: a second hub on the same directory finds the first one answering.
  let dispatch: (command: Command) => Promise<CommandResult> = async () => ({
    ok: false,
    code: 'STARTING',
    message: 'the hub is starting; try again',
  })
  const local: LocalServer = await serveLocal(socketPath(dataDir), (command) => dispatch(command))

  const stateFile = join(dataDir, 'state.db')
  const logFile = join(dataDir, 'log.db')
  const postgres = config.config.storage?.state
  const state = await openState({ file: stateFile, postgres })
  const writer = openLogWriter(logFile, keys, await committedState(state))
  const fences = openLogReader(logFile, keys)
  await publishPolicy(config.config, state, Date.now())
  await publishPlans(config, state, Date.now())
  await publishRules(surroundings.rules, state, Date.now(), keys)
  await storeCodes(config.offerCodes, state)
  const clock = options.clock ?? Date.now
  const bookOf = (store: StateStore) => ruleBookOf(config, surroundings, store, keys, clock)
  const book = await bookOf(state)
  const live = createLiveFeed()
  const metrics = createMetrics()

  const onFault = (fault: { readonly where: string }) =>
    fault.where === 'drift' ? logger.warn(fault, 'observed and not declared') : logger.error(fault, 'fault')
  const onLive = live.publish
  const onCounts = metrics.count
  let roles: { process: RemoteRole; deliver: Omit<RemoteRole, 'run'> }
  if (options.worker) {
    const onDeath = (reason: string) => {
      logger.fatal({ reason }, 'a role ended; the hub stops, nothing that was answered is lost')
      process.exit(1)
    }
    const onMessage = (message: FromWorker) => {
      if (message.kind === 'committed') writer.committed(message.position, message.fences)
      else if (message.kind === 'live') onLive(message.events)
      else if (message.kind === 'counts') onCounts(message.counts)
      else if (message.kind === 'deliveries') roles?.deliver.wake()
      else if (message.kind === 'fault') onFault(message.fault)
    }
    const turn = writeTurn().shared
    const data = {
      configFile: resolve(options.configFile),
      port: config.port,
      logFile,
      stateFile,
      postgres,
      master,
      turn,
    }
    const [processRole, deliverRole] = await Promise.all([
      startThread(options.worker, { ...data, role: 'process' }, onMessage, onDeath),
      startThread(options.worker, { ...data, role: 'deliver' }, onMessage, onDeath),
    ])
    roles = { process: processRole, deliver: deliverRole }
  } else {
    const turn = writeTurn()
    const processState = await openState({ file: stateFile, postgres }, { migrate: false, turn })
    const deliverState = await openState({ file: stateFile, postgres }, { migrate: false, turn })
    const processLog = openLogReader(logFile, keys)
    const deliverLog = openLogReader(logFile, keys)
    const deliverRole = await startDeliver({
      config,
      state: deliverState,
      keys,
      log: deliverLog,
      purposes: surroundings.purposes,
      rules: await bookOf(deliverState),
      clock,
      onLive,
      onCounts,
      onFault,
      ...(options.transportFor && { transportFor: options.transportFor }),
    })
    const processRole = await startProcess({
      state: processState,
      keys,
      log: processLog,
      rules: await bookOf(processState),
      settingsFor: ({ rules, kept }) => processSettings(config, surroundings, rules, kept),
      ledger: ledgerSettings(config),
      publicUrl: config.publicUrl,
      commands: processCommands(config, keys),
      clock,
      onCommitted: writer.committed,
      onLive,
      onCounts,
      onDeliveries: deliverRole.wake,
      onFault,
    })
    roles = {
      process: {
        ...processRole,
        async stop() {
          await processRole.stop()
          await processState.close()
          processLog.close()
        },
      },
      deliver: {
        ...deliverRole,
        async stop() {
          await deliverRole.stop()
          await deliverState.close()
          deliverLog.close()
        },
      },
    }
  }

  const ingestPorts: IngestPorts = {
    sources: config.sourceSettings,
    byCredential: credentialsOf(config),
    purposes: surroundings.purposes,
    keys,
    log: {
      ...writer,
      async append(records, fences) {
        await writer.append(records, fences)
        metrics.received(records)
        roles.process.wake()
      },
    },
    maxLogBytes: config.config.storage?.maxLogBytes ?? DEFAULT_MAX_LOG_BYTES,
  }

  // The HTTP side only reads the state: tokens it renews are kept by the process role.
  const keepers = createKeepers(config, {
    db: state.db,
    writer: commandWriter(roles.process.run),
    keys,
    clock,
    transportFor: options.transportFor,
  })
  const connections = createConnectionDesk({
    config,
    credentialsFor: keepers.of,
    state,
    clock,
    run: roles.process.run,
    transportFor: options.transportFor,
  })

  const desk = createDesk({
    config,
    state,
    keys,
    log: ingestPorts.log,
    clock,
    run: roles.process.run,
    processed: roles.process.drained,
    fault: (error) => onFault(faultOf('requests', error)),
    transportFor: options.transportFor,
    credentialsFor: keepers.of,
  })

  const poller = startPoller({
    ingest: ingestPorts,
    state,
    home: dirname(resolve(options.configFile)),
    allowPrivate: config.config.network?.allow ?? [],
    run: roles.process.run,
    clock: options.clock ?? Date.now,
    fault: (error) => onFault(faultOf('poll', error)),
    transportFor: options.transportFor,
  })
  const run = async (command: Command): Promise<CommandResult> => {
    try {
      if (desk.handles(command.name)) return await desk.run(command)
      if (connections.handles(command.name)) return await connections.run(command)
      if (command.name === 'importConsent')
        return { ok: true, value: await importConsent(command, { ...ingestPorts, state }) }
      if (command.name === 'pollSource')
        return { ok: true, value: (await poller.now(String(command.args['source']))) ?? null }
      if (command.name === 'importRows') return { ok: true, value: await importRows(command, ingestPorts) }
      if (command.name === 'redriveQuarantine')
        return { ok: true, value: await redriveQuarantine(command, ingestPorts, state, roles.process.run) }
      if (command.name === 'redriveDeliveries') {
        await book.refresh()
        const asking = { state, keys, log: fences, clock, publicUrl: config.publicUrl, rules: book.now().rules }
        const { purposes } = surroundings
        const ports = { ...asking, purposes, destinations: config.destinationSettings }
        return { ok: true, value: await redriveDeliveries(command, ports, roles.process.run) }
      }
      const result = await roles.process.run(command)
      if (result.ok && command.name === 'dismissQuarantine')
        writer.releaseFences((result.value as { fences: string[] }).fences)
      return result
    } catch (error) {
      if (error instanceof CommandError) return { ok: false, code: error.code, message: error.message }
      throw error
    }
  }
  dispatch = run

  const explaining = {
    state,
    keys,
    purposes: surroundings.purposes,
    get rules() {
      return book.now().rules
    },
    destinations: config.destinationSettings,
    config,
    sources: [...config.sourceSettings.keys()],
    timezone: config.timezone,
  }
  const backtests = createBacktestDesk(
    options.worker
      ? backtestInThread(options.worker, {
          role: 'backtest',
          configFile: resolve(options.configFile),
          port: config.port,
          stateFile,
          postgres,
          master,
        })
      : (wanted, range, running) => runBacktest(wanted, range, running, { config, state, keys }),
    clock,
  )
  const context: ServerContext = {
    config: config.config,
    ledger: ledgerSettings(config),
    registry: options.registry,
    state,
    live: live.feed,
    async explain(id) {
      await book.refresh()
      return explain(id, explaining)
    },
    why: (person, rule) => whyFor(person, rule, { config, state, keys, now: clock() }),
    backtests,
    run,
  }
  const app = await startServer(config, logger, async (server) => {
    await registerIngest(server, ingestPorts, (destinationId, request) =>
      takeFeedback(destinationId, request, {
        destinations: config.destinationSettings,
        state,
        ingest: ingestPorts,
      }),
    )
    await registerConsent(server, {
      ingest: ingestPorts,
      context,
      fencesFor: (identifiers) => fences.fencesFor(identifiers),
    })
    await registerPrivacy(server, {
      config,
      keys,
      state,
      purposes: surroundings.purposes,
      log: ingestPorts.log,
      simulated: config.config.simulated === true,
      desk,
      run,
      fencesFor: (identifiers) => fences.fencesFor(identifiers),
    })
    // The caller's own address, as the hub sees it: doctor finds out whether the proxy passes it on.
    server.get('/healthz', async ({ ip }) => ({ name: 'anuente', id: writer.logId, client: ip }))
    server.get('/readyz', async (_request, reply) =>
      reply
        .code(writer.size() > ingestPorts.maxLogBytes ? 503 : 200)
        .send({ ready: writer.size() <= ingestPorts.maxLogBytes }),
    )
    server.get('/metrics', async (_request, reply) =>
      reply.type(metrics.contentType).send(
        await metrics.text({
          logBytes: writer.size(),
          connections: await connectionStatuses(config.destinationSettings.values(), state.db, clock()),
        }),
      ),
    )
    await registerAdmin(server, context, {
      secureCookies: config.publicUrl.startsWith('https:'),
      publicUrl: config.publicUrl,
      cockpitDir: cockpitDir(),
      logBacklog: () => writer.backlog(),
    })
  })
  await reserved.release()
  await app.listen({ host: config.host, port: config.port })
  const address = app.server.address()
  const port = typeof address === 'object' && address ? address.port : config.port

  const left = await listsLeft(state.db, surroundings.measures, config.destinationSettings)
  let closed: Promise<void> | undefined
  const close = async () => {
    // No new requests first; then what was answered is on disk already, and the roles stop between batches.
    await app.close()
    await backtests.close()
    await poller.stop()
    await desk.stop()
    await keepers.close()
    await roles.process.stop()
    await roles.deliver.stop()
    fences.close()
    writer.close()
    await state.close()
    await local.close()
  }
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    config,
    state,
    warnings: [
      ...config.warnings.map(({ message }) => message),
      ...surroundings.warnings,
      ...desk.warnings,
      ...left.flatMap((one) => (one.state === 'leaving' ? [] : [Object.values(leftInWords(one)).join(' ')])),
    ],
    run,
    async drained() {
      await roles.process.drained()
      await roles.deliver.drained()
      await desk.drained()
    },
    async invitation() {
      const result = await run({ name: 'createFirstInvitation', args: {}, actor: 'cli' })
      const token = result.ok ? (result.value as { token: string } | null)?.token : undefined
      return token && `${config.publicUrl}/setup#${token}`
    },
    close: () => {
      closed ??= close()
      return closed
    },
  }
}

async function startServer(
  config: LoadedConfig,
  logger: Logger,
  register: (server: FastifyInstance) => Promise<void>,
): Promise<FastifyInstance> {
  const trusted = config.config.server?.trustedProxies ?? []
  const app: FastifyInstance = Fastify({
    loggerInstance: logger.child({}, { level: logger.level === 'silent' ? 'silent' : 'error' }) as FastifyBaseLogger,
    // Requests are counted, never logged: their URLs carry keys and identifiers.
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: trusted.length > 0 ? [...trusted] : false,
    routerOptions: { maxParamLength: 500 },
    forceCloseConnections: 'idle',
    keepAliveTimeout: 72_000,
  })
  await register(app)
  return app
}

function credentialsOf(config: LoadedConfig): Map<string, string> {
  const found = new Map<string, string>()
  for (const { id, connector, definition, settings } of config.sourceSettings.values())
    for (const key of definition.keys(settings)) found.set(`${connector}\0${key}`, id)
  return found
}

/** Where the state stands in its log, and the fences that records in quarantine still need. */
export async function committedState(state: StateStore) {
  const row = await state.db
    .selectFrom('positions')
    .select(['log_id', 'position'])
    .where('partition', '=', 0)
    .executeTakeFirst()
  if (!row) return undefined
  const open = await state.db
    .selectFrom('quarantine')
    .select('fences')
    .where('status', 'in', ['open', 'expired'])
    .where('fences', '<>', '[]')
    .execute()
  return {
    logId: row.log_id,
    position: row.position,
    keptFences: new Set(open.flatMap(({ fences }) => JSON.parse(fences) as string[])),
  }
}

/** dist/cockpit beside the sources, or the folder the package ships. */
function cockpitDir(): string {
  const here = dirname(fileURLToPath(import.meta.url))
  return (
    [join(here, '../dist/cockpit'), join(here, '../cockpit')].find((dir) => existsSync(join(dir, 'index.html'))) ??
    join(here, '../dist/cockpit')
  )
}
