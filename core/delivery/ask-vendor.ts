/** The one question to a vendor that only reads: whether it takes these settings. */
import type { AnyDestination } from '../kit/define.ts'
import { createTransport } from '../kit/transport.ts'
import { connect, reachOf } from './perform.ts'

const TIMEOUT_MS = 10_000

/**
 * @param settings checked; of a connected account with its `accessToken`
 * @throws the kit's errors, by the vendor's verdict
 */
export async function askVendor(
  definition: AnyDestination,
  settings: unknown,
  { allowPrivate, sandbox }: { readonly allowPrivate: readonly string[]; readonly sandbox?: string | undefined },
): ReturnType<AnyDestination['check']> {
  const { origin, hosts } = reachOf(definition, settings)
  const transport = createTransport({
    allowPrivate,
    hosts,
    timeoutMs: TIMEOUT_MS,
    ...(sandbox !== undefined && { sandbox: { vendorOrigin: origin.origin, target: sandbox } }),
  })
  try {
    const http = connect(definition, settings, { slot: (job) => job(), lastLook: async () => {}, transport })
    return await definition.check({ http, settings, now: new Date() })
  } finally {
    await transport.close()
  }
}
