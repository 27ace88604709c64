/** AES-256-GCM, one layout everywhere: 12 bytes nonce, 16 bytes tag, ciphertext. */
import { createCipheriv, createDecipheriv, type KeyObject, randomFillSync } from 'node:crypto'

// Nonces come from a pool: one system call per 4 KB instead of one per seal.
const pool = Buffer.alloc(4096)
let used = pool.length
function nonce(): Buffer {
  if (used + 12 > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += 12
  return Buffer.from(pool.subarray(used - 12, used))
}

/** @param belongs where the sealed bytes lie (associated data): moved anywhere else, they open no more. */
export function seal(key: KeyObject, plain: Buffer | string, belongs?: string): Buffer {
  const iv = nonce()
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  if (belongs !== undefined) cipher.setAAD(Buffer.from(belongs))
  const body = typeof plain === 'string' ? cipher.update(plain, 'utf8') : cipher.update(plain)
  cipher.final()
  return Buffer.concat([iv, cipher.getAuthTag(), body])
}

/** @throws when the key is not the one it was sealed with, a byte was changed, or it belongs elsewhere. */
export function unseal(key: KeyObject, sealed: Uint8Array, belongs?: string): Buffer {
  const bytes = Buffer.isBuffer(sealed) ? sealed : Buffer.from(sealed)
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12))
  decipher.setAuthTag(bytes.subarray(12, 28))
  if (belongs !== undefined) decipher.setAAD(Buffer.from(belongs))
  return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()])
}

export const sealJson = (key: KeyObject, value: unknown): Buffer => seal(key, JSON.stringify(value))
export const unsealJson = <T>(key: KeyObject, sealed: Uint8Array): T =>
  JSON.parse(unseal(key, sealed).toString('utf8')) as T
