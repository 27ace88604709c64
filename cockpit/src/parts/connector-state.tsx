/** How a source or destination is, from what was counted: the same words on every screen. */
import { useTranslation } from 'react-i18next'
import { Badge, type Tone } from './exit-badge.tsx'

export type ConnectorState = 'active' | 'quiet' | 'silent' | 'trouble' | 'missing'

const TONE: Record<ConnectorState, Tone> = {
  active: 'delivered',
  quiet: 'rule',
  silent: 'duplicate',
  trouble: 'failed',
  missing: 'quarantined',
}

/** Minute counts are written once a minute, so ten minutes of quiet show after eleven. */
const QUIET_MS = 11 * 60_000

export function stateOf(
  { installed, lastAt, dead }: { installed: boolean; lastAt: number | null; dead: number },
  now: number,
): ConnectorState {
  if (!installed) return 'missing'
  if (dead > 0) return 'trouble'
  if (lastAt === null) return 'silent'
  return now - lastAt < QUIET_MS ? 'active' : 'quiet'
}

export function StateBadge({ state }: { state: ConnectorState }) {
  const { t } = useTranslation()
  return (
    <Badge tone={TONE[state]} title={t(`connectors.stateHint.${state}`)}>
      {t(`connectors.state.${state}`)}
    </Badge>
  )
}
