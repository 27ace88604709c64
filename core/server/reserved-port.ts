/** `port: 0` is any free port, and links need its number before anything listens on it. */
import { createServer } from 'node:net'

export interface ReservedPort {
  readonly port: number
  /** Just before the hub takes it. */
  release(): Promise<void>
}

/** Another port than 0 is taken as it is; whether it is free shows when the hub listens. */
export async function reservePort(port: number, host: string): Promise<ReservedPort> {
  if (port !== 0) return { port, release: async () => {} }
  const holder = createServer()
  // A start that fails must not hang on it.
  holder.unref()
  await new Promise<void>((resolve, reject) => {
    holder.once('error', reject)
    holder.listen(0, host, resolve)
  })
  const address = holder.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    release: () => new Promise((resolve) => holder.close(() => resolve())),
  }
}
