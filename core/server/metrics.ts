/** /metrics for Prometheus. Labels are names from the configuration and exit codes; never anything of a person. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { ConnectionStatus } from '../connections/status.ts'
import type { LogRecord } from '../log/event-log.ts'

export interface Metrics {
  readonly contentType: string
  /** `minute\0origin\0code` -> how many more. */
  count(counts: ReadonlyMap<string, number>): void
  received(records: readonly LogRecord[]): void
  text(now: { readonly logBytes: number; readonly connections?: readonly ConnectionStatus[] }): Promise<string>
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'anuente_' })
  const exits = new Counter({
    name: 'anuente_exits_total',
    help: 'Events and deliveries by the exit they took.',
    labelNames: ['origin', 'code'],
    registers: [registry],
  })
  const received = new Counter({
    name: 'anuente_received_total',
    help: 'Events recorded, by source.',
    labelNames: ['source'],
    registers: [registry],
  })
  const backlog = new Gauge({
    name: 'anuente_log_bytes',
    help: 'Bytes of the event log not yet processed and purged.',
    registers: [registry],
  })
  const connected = new Gauge({
    name: 'anuente_connection_up',
    help: '1 while the account of a destination is connected, 0 while somebody has to connect it.',
    labelNames: ['destination'],
    registers: [registry],
  })
  const refreshEnds = new Gauge({
    name: 'anuente_connection_refresh_expires_seconds',
    help: 'When the refresh token of a destination ends, Unix time; absent where it does not end.',
    labelNames: ['destination'],
    registers: [registry],
  })
  return {
    contentType: registry.contentType,
    count(counts) {
      for (const [key, by] of counts) {
        const [, origin, code] = key.split('\0') as [string, string, string]
        if (by > 0 && code !== 'RECEIVED') exits.inc({ origin, code }, by)
      }
    },
    received(records) {
      for (const record of records)
        received.inc({ source: record.kind === 'event' ? record.event.source.id : record.sourceId })
    },
    text({ logBytes, connections = [] }) {
      backlog.set(logBytes)
      connected.reset()
      refreshEnds.reset()
      for (const { destination, state, refreshExpiresAt } of connections) {
        connected.set({ destination }, state === 'connected' || state === 'expiring' ? 1 : 0)
        if (refreshExpiresAt !== null) refreshEnds.set({ destination }, refreshExpiresAt / 1000)
      }
      return registry.metrics()
    },
  }
}
