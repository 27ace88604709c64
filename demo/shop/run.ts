/** Plays the simulated shop against a hub in real time, and remembers what was true of its people. */
import { setTimeout as wait } from 'node:timers/promises'
import type { Sending, Told } from './moment.ts'
import type { Person } from './people.ts'
import { createSenders, type SenderSettings } from './senders.ts'
import { openShop, type ShopSettings } from './simulator.ts'

export interface ShopRun {
  readonly people: readonly Person[]
  /** Events sent so far. */
  sent(): number
  readonly troubles: ReadonlyMap<string, number>
  /** What RD Station was told about e-mails, with the time (epoch ms) of the hub's 2xx. */
  readonly told: readonly (Told & { readonly answeredAt: number })[]
  /** Every order sent, with the tools that reported it and how often. */
  readonly orders: ReadonlyMap<string, readonly Sending['via'][]>
  /** The shop closes; everything sent has left. */
  stop(): Promise<void>
  /** Resolves when `once` events were sent, or the shop was stopped. */
  readonly finished: Promise<void>
}

export interface ShopRunSettings
  extends Omit<ShopSettings, 'origin' | 'keys'>,
    Omit<SenderSettings, 'onTrouble' | 'segmentKey' | 'rudderKey'> {
  readonly keys: ShopSettings['keys'] & { readonly rudderstack: string }
  /** Stop after that many events. */
  readonly once?: number
}

export function runShop(settings: ShopRunSettings): ShopRun {
  const origin = Date.now()
  const troubles = new Map<string, number>()
  const told: (Told & { answeredAt: number })[] = []
  const orders = new Map<string, Sending['via'][]>()
  const senders = createSenders({
    ...settings,
    segmentKey: settings.keys.segment,
    rudderKey: settings.keys.rudderstack,
    onTrouble: (via, reason) => {
      const name = `${via}: ${reason}`
      troubles.set(name, (troubles.get(name) ?? 0) + 1)
    },
  })
  const shop = openShop({ ...settings, origin })
  const closing = new AbortController()
  let sent = 0

  const play = async () => {
    for (const { at, sending, told: answer } of shop.moments) {
      const ahead = origin + at / settings.speed - Date.now()
      if (ahead > 0) await wait(ahead, undefined, { signal: closing.signal })
      if (closing.signal.aborted) return
      sent++
      const order = orderOf(sending)
      if (order !== undefined) orders.set(order, [...(orders.get(order) ?? []), sending.via])
      void senders.send(sending).then((taken) => {
        if (taken && answer) told.push({ ...answer, answeredAt: Date.now() })
      })
      if (sent === settings.once) return
    }
  }
  const finished = play()
    .catch((error) => {
      if (!closing.signal.aborted) throw error
    })
    .then(() => senders.close())

  return {
    people: shop.people,
    sent: () => sent,
    troubles,
    told,
    orders,
    finished,
    stop() {
      closing.abort()
      return finished
    },
  }
}

function orderOf(sending: Sending): string | undefined {
  if (sending.via === 'ga4') return sending.query['ep.transaction_id']
  if (!('message' in sending) || sending.message.event !== 'Order Completed') return undefined
  return String(sending.message.properties?.['order_id'])
}
