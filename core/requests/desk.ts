/**
 * Requests as the running hub handles them: a command to the process role, and around it what a transaction cannot
 * do. Withdrawals go into the log, mail goes out, recipients are asked, destroyed content leaves the disk.
 */

import { isClosed } from '../../consent/requests/machine.ts'
import { openDsrStatus } from '../../consent/requests/opendsr.ts'
import { withdrawalSignals } from '../../consent/signals.ts'
import type { ConsentSignal } from '../../schemas/consent.ts'
import type { Identifier } from '../../schemas/event.ts'
import type { RequestState } from '../../schemas/requests.ts'
import { answerEvent, recordAnswers } from '../answers/record.ts'
import type { DestinationSettings, LoadedConfig } from '../config.ts'
import type { Credentials } from '../delivery/perform.ts'
import type { Keys } from '../keys.ts'
import type { Transport } from '../kit/http.ts'
import { normalizeEmail } from '../kit/identifiers.ts'
import { createMailer, type Mailer } from '../kit/smtp.ts'
import type { LogWriter } from '../log/event-log.ts'
import type { Command, CommandResult } from '../server/context.ts'
import type { StateStore } from '../stores/open.ts'
import { closedMail, codeMail, identityMail, receivedMail } from './mails.ts'
import { findPeople } from './people.ts'
import { clocksOfRow, type RequestRow, scopeOf } from './rows.ts'
import { startRunner } from './runner.ts'
import { openRequest } from './sealed.ts'
import { type RequestSettings, requestSettings } from './settings.ts'
import { type CodeWay, createVendors } from './vendors.ts'

export interface DeskPorts {
  readonly config: LoadedConfig
  readonly state: StateStore
  readonly keys: Keys
  readonly log: Pick<LogWriter, 'append'>
  readonly clock: () => number
  /** To the process role. */
  run(command: Command): Promise<CommandResult>
  /** Resolves when everything recorded so far is processed. */
  processed(): Promise<void>
  fault(error: unknown): void
  readonly transportFor?: ((id: string) => Transport | undefined) | undefined
  /** The token of a connected account. */
  readonly credentialsFor?: ((destination: DestinationSettings) => Credentials | undefined) | undefined
}

export interface Desk {
  readonly settings: RequestSettings
  /** Ways besides e-mail by which codes are sent. */
  readonly codeWays: readonly CodeWay[]
  readonly mails: boolean
  /** What of the configuration cannot work as it is written. */
  readonly warnings: readonly string[]
  handles(name: string): boolean
  run(command: Command): Promise<CommandResult>
  sendCode(
    contact: Identifier,
    channel: 'email' | 'sms' | 'whatsapp',
    code: string,
    ref: string,
    language: 'pt' | 'en',
  ): Promise<void>
  /** Writes answers of a person whose identity was checked; effective when it resolves. */
  record(identifiers: readonly Identifier[], signals: readonly ConsentSignal[]): Promise<void>
  /** Every recipient that is due has been asked. */
  drained(): Promise<void>
  stop(): Promise<void>
}

function warningsOf({ config, destinationSettings }: LoadedConfig): string[] {
  const codes = (config.requests?.codes ?? []).flatMap(({ channel, destination, action }, index) =>
    destinationSettings.get(destination)?.definition.actions[action]
      ? []
      : [
          `/requests/codes/${index}: ${destination}.${action} is no action of a configured destination, so the portal offers no code by ${channel}.`,
        ],
  )
  return config.mail || config.simulated || (config.requests?.codes ?? []).length > codes.length
    ? codes
    : [
        ...codes,
        '/mail: without it the portal of data subjects (/privacidade) cannot send codes, and requests reach you by other ways only.',
      ]
}

const HANDLED = new Set([
  'openRequest',
  'importRequests',
  'identifyRequest',
  'askRequestIdentity',
  'executeRequest',
  'settleRequestRecipient',
  'answerRequest',
  'refuseRequest',
  'withdrawRequest',
])

export function createDesk(ports: DeskPorts): Desk {
  const { config, state, keys, clock } = ports
  const settings = requestSettings(config)
  const vendors = createVendors(config, ports)
  const mailer: Mailer | undefined = config.config.mail && createMailer(config.config.mail)
  const told = new Set<string>()
  /** Mail on its way: nobody who asked waits for it, the hub does before it ends. */
  const background = new Set<Promise<void>>()
  const later = (work: () => Promise<void>): void => {
    const done: Promise<void> = work()
      .catch((error) => ports.fault(error))
      .finally(() => background.delete(done))
    background.add(done)
  }

  const rowOf = (id: string) => state.db.selectFrom('requests').selectAll().where('id', '=', id).executeTakeFirst()

  const mail = async (row: RequestRow, kind: 'received' | 'closed' | 'identity', missing = ''): Promise<void> => {
    const { contact, identifiers } = openRequest(row, keys)
    const to = normalizeEmail(contact ?? '') ?? identifiers.find(({ type }) => type === 'email')?.value
    if (!mailer || !to || row.kind === 'authority') return
    const look = { settings, row, clocks: clocksOfRow(row, settings, clock()) }
    try {
      await mailer.send({
        to,
        ...(kind === 'received'
          ? receivedMail(look)
          : kind === 'closed'
            ? closedMail(look)
            : identityMail(look, missing)),
        // What is missing may be asked for more than once; the rest is told once.
        messageId: `<${row.id}.${kind}${kind === 'identity' ? `.${clock()}` : ''}@anuente>`,
      })
    } catch (error) {
      ports.fault(error)
    }
  }
  /** Once per request and process; the portal shows it in any case. */
  const tell = async (id: string, kind: 'received' | 'closed'): Promise<void> => {
    const row = await rowOf(id)
    if (!row || told.has(`${id} ${kind}`)) return
    if (kind === 'closed' && !isClosed(row.state as RequestState)) return
    told.add(`${id} ${kind}`)
    await mail(row, kind)
    if (kind === 'closed' && row.channel === 'opendsr')
      for (const url of openRequest(row, keys).callbacks ?? [])
        await vendors.callback(
          url,
          openDsrStatus({
            id: row.reference ?? row.id,
            controllerId: settings.organization.name,
            state: row.state,
            dueAt: row.due_at,
          }),
        )
  }

  const runner = startRunner({
    state,
    keys,
    vendors,
    systems: settings.systems,
    clock,
    run: ports.run,
    settled: (id) => tell(id, 'closed'),
    fault: ports.fault,
  })

  const record: Desk['record'] = async (identifiers, signals) => {
    if (signals.length === 0) return
    const at = new Date(clock()).toISOString()
    await recordAnswers(
      [
        answerEvent(
          {
            name: 'Consent Changed',
            source: { id: 'portal', connector: 'anuente' },
            identifiers,
            consent: signals,
            occurredAt: at,
            receivedAt: at,
          },
          '0'.repeat(64),
        ),
      ],
      { keys, log: ports.log },
    )
    // Effective already; whoever looks next should see it too. A backlog does not hold them up.
    await Promise.race([ports.processed(), new Promise((resolve) => setTimeout(resolve, 2000).unref())])
  }

  /** Art. 18 IX and §2: effective before anything else is said about it. */
  const withdraw = async (row: RequestRow): Promise<void> => {
    const { identifiers } = openRequest(row, keys)
    const people = await findPeople(state.db, keys, identifiers)
    const known = people?.nodes.flatMap(({ type, value }) => (value === undefined ? [] : [{ type, value }])) ?? []
    const all = [
      ...known,
      ...identifiers.filter((one) => !known.some(({ type, value }) => type === one.type && value === one.value)),
    ]
    const basis = row.right_id === 'opposition' ? 'legitimate_interest' : 'consent'
    const at = new Date(clock()).toISOString()
    const named =
      scopeOf(row).purposes ?? settings.purposes.all.filter((one) => one.basis === basis).map(({ id }) => id)
    await record(
      all,
      named.flatMap((purpose) =>
        withdrawalSignals({
          purposes: settings.purposes,
          purpose,
          origin: { kind: 'portal', ref: 'portal' },
          actor: 'subject',
          method: row.channel === 'portal' ? 'button' : 'none',
          raw: { request: row.id, purpose },
          occurredAt: at,
        }),
      ),
    )
  }

  const afterOpening = async (id: string, withdraws: boolean, actor: string): Promise<void> => {
    if (withdraws) await executeWithdrawal(id, actor)
    runner.wake()
    later(async () => {
      await tell(id, 'received')
      await tell(id, 'closed')
    })
  }

  const executeWithdrawal = async (id: string, actor: string): Promise<CommandResult> => {
    const row = await rowOf(id)
    if (row && row.closed_at === null) await withdraw(row)
    return ports.run({ name: 'executeRequest', args: { id, withdrawn: true }, actor })
  }

  return {
    settings,
    codeWays: (config.config.requests?.codes ?? []).filter(
      ({ destination, action }) =>
        config.destinationSettings.get(destination)?.definition.actions[action] !== undefined,
    ),
    mails: mailer !== undefined,
    warnings: warningsOf(config),
    handles: (name) => HANDLED.has(name),

    async run(command) {
      const id = String(command.args['id'] ?? '')
      if (command.name === 'executeRequest') {
        const row = await rowOf(id)
        if (
          row?.closed_at === null &&
          row.state === 'acknowledged' &&
          (row.right_id === 'revocation' || row.right_id === 'opposition')
        )
          return executeWithdrawal(id, command.actor)
      }
      const result = await ports.run(command)
      if (!result.ok) return result
      switch (command.name) {
        case 'openRequest':
        case 'identifyRequest': {
          const value = result.value as { id: string; withdraws?: boolean; repeated?: boolean }
          if (!value.repeated) await afterOpening(value.id, value.withdraws === true, command.actor)
          break
        }
        case 'askRequestIdentity': {
          const row = await rowOf(id)
          if (row) later(() => mail(row, 'identity', String(command.args['missing'])))
          break
        }
        case 'importRequests':
          for (const one of (result.value as { ids: string[] }).ids) {
            const row = await rowOf(one)
            const withdraws =
              row?.state === 'acknowledged' && (row.right_id === 'revocation' || row.right_id === 'opposition')
            await afterOpening(one, withdraws, command.actor)
          }
          break
        default:
          // What was deleted is not left lying in the write-ahead file.
          if (command.name === 'executeRequest') state.checkpoint()
          runner.wake()
          later(() => tell(id, 'closed'))
      }
      return result
    },

    async sendCode(contact, channel, code, ref, language) {
      try {
        if (channel === 'email') {
          await mailer?.send({
            to: contact.value,
            ...codeMail(code, language, settings),
            messageId: `<${ref}.code@anuente>`,
          })
          return
        }
        const way = config.config.requests?.codes?.find((one) => one.channel === channel)
        if (way) {
          const sent = await vendors.sendCode(way, contact.value, code, ref)
          if (sent.status !== 'done') ports.fault(new Error(`code by ${channel}: ${sent.answer}`))
        }
      } catch (error) {
        ports.fault(error)
      }
    },

    record,
    async drained() {
      await runner.drained()
      await Promise.all(background)
    },
    async stop() {
      await runner.stop()
      await Promise.all(background)
      mailer?.close()
      await vendors.close()
    },
  }
}
