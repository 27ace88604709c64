/** How often something happened, by minute, origin and code. */
export class Tally implements Iterable<readonly [key: string, count: number]> {
  readonly #minutes = new Map<number, Map<string, Map<string, number>>>()
  #minute = Number.NaN
  #origins = new Map<string, Map<string, number>>()

  add(minute: number, origin: string, code: string, by: number): void {
    if (minute !== this.#minute) this.#turnTo(minute)
    let codes = this.#origins.get(origin)
    if (!codes) {
      codes = new Map()
      this.#origins.set(origin, codes)
    }
    codes.set(code, (codes.get(code) ?? 0) + by)
  }

  clear(): void {
    this.#minutes.clear()
    this.#minute = Number.NaN
  }

  /** `minute\0origin\0code` and how often. */
  *[Symbol.iterator](): Generator<readonly [key: string, count: number]> {
    for (const [minute, origins] of this.#minutes)
      for (const [origin, codes] of origins)
        for (const [code, count] of codes) yield [`${minute}\0${origin}\0${code}`, count]
  }

  #turnTo(minute: number): void {
    this.#minute = minute
    this.#origins = this.#minutes.get(minute) ?? new Map()
    this.#minutes.set(minute, this.#origins)
  }
}
