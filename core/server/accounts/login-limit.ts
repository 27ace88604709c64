import { LRUCache } from 'lru-cache'

const WINDOW_MS = 15 * 60_000
/** Failures within the window before an address must wait: for one account, and over all accounts. */
const PER_ACCOUNT = 5
const PER_ADDRESS = 30

/** Slows the guessing of passwords. In memory: a restart forgets, and each process counts for itself. */
export class LoginLimit {
  #failures = new LRUCache<string, { count: number; until: number }>({ max: 20_000 })

  /** @returns seconds to wait, 0 when a try is allowed. The try counts at once, so that parallel guesses cannot slip through. */
  take(address: string, email: string, now: number): number {
    const wait = Math.max(
      this.#wait(`a ${address}`, PER_ADDRESS, now),
      this.#wait(accountKey(address, email), PER_ACCOUNT, now),
    )
    if (wait > 0) return wait
    this.#count(`a ${address}`, now)
    this.#count(accountKey(address, email), now)
    return 0
  }

  /** The password was right: what this account counted no longer matters. */
  forgive(address: string, email: string): void {
    this.#failures.delete(accountKey(address, email))
    const all = this.#failures.get(`a ${address}`)
    if (all) all.count = Math.max(0, all.count - 1)
  }

  #wait(key: string, max: number, now: number): number {
    const entry = this.#failures.get(key)
    return entry && entry.until > now && entry.count >= max ? Math.ceil((entry.until - now) / 1000) : 0
  }

  #count(key: string, now: number): void {
    const entry = this.#failures.get(key)
    if (entry && entry.until > now) entry.count++
    else this.#failures.set(key, { count: 1, until: now + WINDOW_MS })
  }
}

function accountKey(address: string, email: string): string {
  return `e ${address} ${email.trim().toLowerCase()}`
}
