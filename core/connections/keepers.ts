/** The token keepers of every connected destination, made when first asked for. */
import type { DestinationSettings, LoadedConfig } from '../config.ts'
import type { Transport } from '../kit/http.ts'
import { createTokenKeeper, type KeeperPorts, type TokenKeeper } from './keeper.ts'
import { oauthOf, tokenTransport } from './tokens.ts'

export interface Keepers {
  /** Undefined where the settings hold the credential. */
  readonly of: (destination: DestinationSettings) => TokenKeeper | undefined
  close(): Promise<void>
}

/** @param ports.transportFor another way to carry bytes, for tests. */
export function createKeepers(
  { config }: Pick<LoadedConfig, 'config'>,
  {
    transportFor,
    ...ports
  }: Omit<KeeperPorts, 'transport'> & { readonly transportFor?: ((id: string) => Transport | undefined) | undefined },
): Keepers {
  const kept = new Map<string, TokenKeeper>()
  const transports: ReturnType<typeof tokenTransport>[] = []
  return {
    of(destination) {
      if (!oauthOf(destination)) return undefined
      let keeper = kept.get(destination.id)
      if (!keeper) {
        let transport = transportFor?.(destination.id)
        if (!transport) {
          const own = tokenTransport(destination, config.network?.allow ?? [])
          transports.push(own)
          transport = own
        }
        keeper = createTokenKeeper(destination, { ...ports, transport })
        kept.set(destination.id, keeper)
      }
      return keeper
    },
    async close() {
      await Promise.all(transports.map((transport) => transport.close()))
    },
  }
}
