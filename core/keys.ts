/**
 * The hub's keys. One master key, from ANUENTE_MASTER_KEY (base64, 32 bytes) or a file beside the
 * data that only its owner may read; everything else is derived from it or wrapped by it.
 */
import { createHmac, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { LRUCache } from 'lru-cache'
import { ConfigError } from './kit/errors.ts'
import { seal, unseal } from './seal.ts'

export interface Keys {
  /** HMAC of an identifier under the index key, 16 bytes: how people are found without storing who they are. */
  identifier(type: string, value: string): Buffer
  /** 16 bytes over (source, message id), for deduplication. */
  message(source: string, messageId: string): Buffer
  /** HMAC of anything the hub may hear back of itself. */
  echo(text: string): Buffer
  /** Over an identifier's HMAC, under a key of its own: names erased people who must stay erased, whatever becomes of the index. */
  suppression(identifier: Uint8Array): Buffer
  /** Signs the links in messages. */
  readonly link: KeyObject
  /** A fresh data key: its raw key object and the wrapped bytes to store. */
  create(): { key: KeyObject; wrapped: Buffer }
  /** Unwraps a stored key; cached. */
  unwrap(wrapped: Uint8Array): KeyObject
}

const MASTER_BYTES = 32

export function loadMasterKey(file: string, environment: NodeJS.ProcessEnv = process.env): Buffer {
  const given = environment['ANUENTE_MASTER_KEY']
  if (given) {
    const key = Buffer.from(given, 'base64')
    if (key.length !== MASTER_BYTES)
      throw new ConfigError(
        'ANUENTE_MASTER_KEY must be 32 bytes in base64; make one with: openssl rand -base64 32',
        'ANUENTE_MASTER_KEY',
      )
    return key
  }
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, randomBytes(MASTER_BYTES), { mode: 0o600, flag: 'wx' })
  }
  const key = readFileSync(file)
  if (key.length !== MASTER_BYTES)
    throw new ConfigError('the master key file is not 32 bytes long; restore it from your backup', file)
  return key
}

export function createKeys(master: Buffer): Keys {
  const derive = (label: string) => createSecretKey(Buffer.from(hkdfSync('sha256', master, 'anuente', label, 32)))
  const wrapping = derive('wrap-v1')
  const index = derive('index-v1')
  const echoes = derive('echo-v1')
  const suppressed = derive('suppression-v1')
  const unwrapped = new LRUCache<string, KeyObject>({ max: 50_000 })
  const mac = (key: KeyObject, text: string) => createHmac('sha256', key).update(text).digest().subarray(0, 16)
  return {
    identifier: (type, value) => mac(index, `${type}\0${value}`),
    message: (source, messageId) => mac(index, `message\0${source}\0${messageId}`),
    echo: (text) => mac(echoes, text),
    suppression: (identifier) => mac(suppressed, Buffer.from(identifier).toString('hex')),
    link: derive('link-v1'),
    create() {
      const raw = randomBytes(32)
      const wrapped = seal(wrapping, raw)
      const key = createSecretKey(raw)
      unwrapped.set(wrapped.toString('latin1'), key)
      return { key, wrapped }
    },
    unwrap(wrapped) {
      const name = (Buffer.isBuffer(wrapped) ? wrapped : Buffer.from(wrapped)).toString('latin1')
      let key = unwrapped.get(name)
      if (!key) {
        key = createSecretKey(unseal(wrapping, wrapped))
        unwrapped.set(name, key)
      }
      return key
    },
  }
}
