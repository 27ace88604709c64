/** How a route of the admin API is written down: one object that registers it, guards it and documents it. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Static, TSchema } from 'typebox'
import type { Permission } from '../../../schemas/admin.ts'
import type { CommandResult, ServerContext } from '../context.ts'
import type { Identity } from './identity.ts'

export interface RouteCall<Q, P, B> {
  readonly query: Q
  readonly params: P
  readonly body: B
  readonly identity: Identity
  readonly context: ServerContext
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly now: number
}

export interface RouteDefinition<
  Q extends TSchema = TSchema,
  P extends TSchema = TSchema,
  B extends TSchema = TSchema,
  A extends TSchema = TSchema,
> {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** With OpenAPI braces: /api/users/{id}. */
  readonly path: string
  readonly operationId: string
  readonly tag: string
  readonly summary: string
  /** `public`: nobody needs to be logged in. `session`: anybody who is. */
  readonly permission: Permission | 'public' | 'session'
  /** Bytes; 64 KB when absent. */
  readonly bodyLimit?: number
  readonly query?: Q
  readonly params?: P
  readonly body?: B
  readonly answer: A
  readonly status?: number
  /** Codes a caller should expect besides those every route may give. */
  readonly errors?: readonly { readonly status: number; readonly code: string; readonly when: string }[]
  readonly handle: (call: RouteCall<Static<Q>, Static<P>, Static<B>>) => Promise<Static<A>>
}

// biome-ignore lint/suspicious/noExplicitAny: variance of the four schemas; each route stays fully typed where it is written.
export type AnyRoute = RouteDefinition<any, any, any, any>

export function defineRoute<Q extends TSchema, P extends TSchema, B extends TSchema, A extends TSchema>(
  definition: RouteDefinition<Q, P, B, A>,
): RouteDefinition<Q, P, B, A> {
  return definition
}

/** An answer other than the good one. The message tells what to do and carries no personal data. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly code: string
  readonly path: string | undefined
  readonly headers: Readonly<Record<string, string>>
  constructor(
    status: number,
    code: string,
    message: string,
    more: { path?: string; headers?: Record<string, string> } = {},
  ) {
    super(message)
    this.status = status
    this.code = code
    this.path = more.path
    this.headers = more.headers ?? {}
  }
}

const COMMAND_STATUS: Readonly<Record<string, number>> = {
  INVALID: 400,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  INVITATION_INVALID: 410,
  OVERLOADED: 429,
  UNAVAILABLE: 503,
}

/** The value a command answered with. @throws Refusal with the command's own words. */
export function expectOk(result: CommandResult): unknown {
  if (result.ok) return result.value
  throw new Refusal(COMMAND_STATUS[result.code] ?? 409, result.code, result.message)
}
