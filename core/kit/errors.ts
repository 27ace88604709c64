/**
 * The four classes a connector may throw. Each says who has to act. Messages carry ids and
 * codes, never values: an error ends in logs and on screens.
 */
import type { ExitCode } from '../../schemas/exits.ts'

/** Nobody has to act: the hub tries again, after `retryAfterMs` when the vendor said so. */
export class RetryableError extends Error {
  override readonly name = 'RetryableError'
  readonly retryAfterMs: number | undefined
  /** True when bytes may have reached the vendor and its answer was lost. */
  readonly uncertain: boolean
  constructor(
    message: string,
    options: { retryAfterMs?: number | undefined; uncertain?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.retryAfterMs = options.retryAfterMs
    this.uncertain = options.uncertain ?? false
  }
}

/**
 * There is no token to send with: the account has to be connected (again), or its vendor gives no new token for the
 * moment. Nothing left; what was to be sent waits and is no failure of its own.
 */
export class CredentialsMissing extends RetryableError {
  /** Whether somebody has to connect the account. */
  readonly connect: boolean
  constructor(message: string, options: { connect: boolean; retryAfterMs: number }) {
    super(message, { retryAfterMs: options.retryAfterMs })
    this.connect = options.connect
  }
}

/** The operator has to act: credentials are wrong or expired. Never retried in a loop. */
export class AuthenticationError extends Error {
  override readonly name = 'AuthenticationError'
}

/** The operator has to act: this item will never be taken as it is; the mapping must change. */
export class RejectedError extends Error {
  override readonly name = 'RejectedError'
}

/** The operator has to act, at start-up: the configuration is wrong at `path`. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly path: string
  constructor(message: string, path = '') {
    super(message)
    this.path = path
  }
}

/** Input a source cannot take. `path` is a JSON pointer into what was received. */
export class InputError extends Error {
  override readonly name = 'InputError'
  readonly code: ExitCode
  readonly path: string
  constructor(code: ExitCode, message: string, path = '') {
    super(message)
    this.code = code
    this.path = path
  }
}
