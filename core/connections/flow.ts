/**
 * Connecting an account: the page at the vendor on which its owner agrees, and the code it comes back with
 * (RFC 6749 §4.1, RFC 7636). The state parameter is random, stored as a hash, good once, for fifteen minutes, and only
 * for the session that began.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { DestinationSettings, LoadedConfig } from '../config.ts'
import type { Keys } from '../keys.ts'
import type { Transport } from '../kit/http.ts'
import { box, flowPlace, unbox } from '../secrets/box.ts'
import { noteAccess } from '../secrets/commands.ts'
import { type Command, CommandError, type CommandHandlers, type CommandResult } from '../server/context.ts'
import type { StateStore } from '../stores/open.ts'
import { storeConnected, type Tokens } from './rows.ts'
import { addressOf, oauthOf, placed, requestTokens, tokenTransport } from './tokens.ts'
import { manageWebhooks, WEBHOOK_COMMANDS, type WebhookPorts } from './webhooks.ts'

const FLOW_MS = 15 * 60_000

/** Where the vendor sends the browser back to; it must be registered with the app exactly so. */
export const redirectUrlOf = (publicUrl: string): string => `${publicUrl}/oauth/callback`

/** The state of a flow that a terminal began: the page of the cockpit shows the code instead of using it. */
const TERMINAL_STATE = 'terminal.'

const hashOf = (state: string): Buffer => createHash('sha256').update(state).digest()

function destinationOf(config: LoadedConfig, id: string): DestinationSettings {
  const destination = config.destinationSettings.get(id)
  if (!destination) throw new CommandError('NOT_FOUND', `There is no destination ${id} in the configuration.`)
  if (!destination.definition.oauth)
    throw new CommandError(
      'INVALID',
      `${destination.definition.name} is not connected by OAuth: its settings hold the credential.`,
    )
  if (!oauthOf(destination))
    throw new CommandError(
      'INVALID',
      `destinations.${id}.settings has a credential of its own. To connect an account instead, write clientId and clientSecret of your app at ${destination.definition.name} and take the other one out.`,
    )
  return destination
}

export function connectionCommands(config: LoadedConfig, keys: Keys): CommandHandlers {
  return {
    /** @returns the page to open, and the state it comes back with. `redirectUrl` only of a terminal, on the loopback. */
    async beginConnection(args, { state: { db }, actor, now }) {
      const id = String(args['destination'] ?? '')
      const destination = destinationOf(config, id)
      const { oauth, client } = oauthOf(destination)!
      const session = String(args['session'] ?? '')
      if (session === '') throw new CommandError('INVALID', 'A connection is begun by a session.')
      const redirectUrl = redirectOf(args['redirectUrl'], session, config.publicUrl)
      const state = `${session === 'terminal' ? TERMINAL_STATE : ''}${randomBytes(24).toString('base64url')}`
      const hash = hashOf(state)
      const verifier = oauth.pkce ? randomBytes(32).toString('base64url') : undefined
      const url = placed(addressOf(oauth.authorizeUrl, destination.settings), destination.config.sandbox)
      const fields = {
        response_type: 'code',
        client_id: client.id,
        redirect_uri: redirectUrl,
        state,
        ...(oauth.scopes.length > 0 && { scope: oauth.scopes.join(' ') }),
        ...(verifier !== undefined && {
          code_challenge: createHash('sha256').update(verifier).digest('base64url'),
          code_challenge_method: 'S256',
        }),
        ...oauth.authorizeFields,
      }
      for (const [name, value] of Object.entries(fields)) url.searchParams.set(name, value)
      await db.deleteFrom('oauth_flows').where('expires_at', '<=', now).execute()
      await db
        .insertInto('oauth_flows')
        .values({
          hash,
          destination: id,
          session,
          ...(await box(db, keys, flowPlace(hash), JSON.stringify({ verifier, redirectUrl }), now)),
          actor,
          expires_at: now + FLOW_MS,
        })
        .execute()
      return { destination: id, url: url.href, state, redirectUrl, expiresAt: now + FLOW_MS }
    },

    /** Takes the flow of this state out, for the session that began it: nobody else, and once. */
    async takeConnectionFlow(args, { state: { db }, now }) {
      const hash = hashOf(String(args['state'] ?? ''))
      const row = await db
        .deleteFrom('oauth_flows')
        .where('hash', '=', hash)
        .where('session', '=', String(args['session'] ?? ''))
        .where('expires_at', '>', now)
        .returningAll()
        .executeTakeFirst()
      if (!row)
        throw new CommandError(
          'STATE_UNKNOWN',
          'This authorisation was not begun here, was used already, or is older than 15 minutes. Begin again.',
        )
      const { verifier, redirectUrl } = JSON.parse(await unbox(db, keys, flowPlace(hash), row)) as {
        verifier?: string
        redirectUrl: string
      }
      return { destination: row.destination, redirectUrl, ...(verifier !== undefined && { verifier }) }
    },

    async keepConnection(args, { state: { db }, actor, now }) {
      const id = String(args['destination'] ?? '')
      const { client } = oauthOf(destinationOf(config, id))!
      await storeConnected(db, keys, id, client.id, args['tokens'] as Tokens, actor, now)
      await noteAccess(db, now, actor, 'connection.connect', id)
      return { destination: id }
    },

    /** Forgets the tokens. What the vendor granted is revoked in the vendor's own pages. */
    async disconnect(args, { state: { db }, actor, now }) {
      const id = String(args['destination'] ?? '')
      const gone = await db
        .deleteFrom('oauth_connections')
        .where('destination', '=', id)
        .returning('destination')
        .executeTakeFirst()
      if (!gone) throw new CommandError('NOT_FOUND', `No account of ${id} is connected.`)
      await noteAccess(db, now, actor, 'connection.disconnect', id)
      return { destination: id }
    },
  }
}

/** A browser comes back to the hub; a terminal may listen on its own machine (RFC 8252 §7.3). */
function redirectOf(asked: unknown, session: string, publicUrl: string): string {
  if (asked === undefined) return redirectUrlOf(publicUrl)
  const url = typeof asked === 'string' && URL.canParse(asked) ? new URL(asked) : undefined
  if (
    session !== 'terminal' ||
    url?.protocol !== 'http:' ||
    !['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
  )
    throw new CommandError('INVALID', 'Only a terminal has another redirect address, and only on its own machine.')
  return url.href
}

export interface FlowPorts {
  readonly config: LoadedConfig
  readonly clock: () => number
  run(command: Command): Promise<CommandResult>
  readonly transportFor?: ((id: string) => Transport | undefined) | undefined
}

const WORDS: Readonly<Record<string, string>> = {
  invalid_grant: 'The vendor does not know this code, or it was used already. Begin again.',
  invalid_client: 'The vendor does not know the client id with this secret. Check clientId and clientSecret.',
  redirect_uri_mismatch: 'The redirect address is not registered with the app. Register it exactly as it is shown.',
}

/** Exchanges the code that came back, outside of any transaction, and keeps the tokens. @throws CommandError */
export async function finishConnection({ args, actor }: Command, ports: FlowPorts): Promise<{ destination: string }> {
  const ask = async (name: string, more: Readonly<Record<string, unknown>>): Promise<unknown> => {
    const result = await ports.run({ name, args: more, actor })
    if (!result.ok) throw new CommandError(result.code, result.message)
    return result.value
  }
  const code = String(args['code'] ?? '')
  if (code === '') throw new CommandError('INVALID', 'There is no code in the answer of the vendor.')
  const flow = (await ask('takeConnectionFlow', { state: args['state'], session: args['session'] })) as {
    destination: string
    redirectUrl: string
    verifier?: string
  }
  const destination = destinationOf(ports.config, flow.destination)
  const given = ports.transportFor?.(flow.destination)
  const transport = given ?? tokenTransport(destination, ports.config.config.network?.allow ?? [])
  try {
    const grant = { kind: 'code', code, redirectUrl: flow.redirectUrl, verifier: flow.verifier } as const
    const answer = await requestTokens(destination, grant, transport, ports.clock())
    if (answer.status !== 'granted')
      throw new CommandError(
        answer.status === 'later' ? 'UNAVAILABLE' : 'REFUSED',
        WORDS[answer.problem] ??
          `${destination.definition.name} gave no token (${answer.problem}). ${answer.status === 'later' ? 'Begin again later.' : 'Check clientId and clientSecret, and that the redirect address is registered with the app.'}`,
      )
    await ask('keepConnection', { destination: flow.destination, tokens: answer.tokens })
    return { destination: flow.destination }
  } finally {
    if (!given) await (transport as ReturnType<typeof tokenTransport>).close()
  }
}

/** Commands that the hub answers around the process role: they wait for a vendor, or tidy the file afterwards. */
export function createConnectionDesk(
  ports: FlowPorts & WebhookPorts & { readonly state: Pick<StateStore, 'checkpoint'> },
) {
  const TIDY = new Set(['rotateSecretKey', 'deleteSecret', 'disconnect'])
  return {
    handles: (name: string): boolean => name === 'finishConnection' || TIDY.has(name) || WEBHOOK_COMMANDS.has(name),
    async run(command: Command): Promise<CommandResult> {
      if (command.name === 'finishConnection') return { ok: true, value: await finishConnection(command, ports) }
      if (WEBHOOK_COMMANDS.has(command.name)) return { ok: true, value: await manageWebhooks(command, ports) }
      const result = await ports.run(command)
      // Sealed bytes whose key is gone do not linger in the write-ahead file.
      if (result.ok) ports.state.checkpoint()
      return result
    },
  }
}
