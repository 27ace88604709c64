import { createHash, randomBytes } from 'node:crypto'

/** 256 random bits, for session ids, CSRF values, API tokens and invitations. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

export function newApiToken(): string {
  return `anu_${newSecret()}`
}

/** All that is stored of a secret. Plain SHA-256 is enough for 256 random bits. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
