/** What of the configuration is about requests of data subjects. */

import { loadPurposes, type Purposes } from '../../consent/purposes.ts'
import { DEFAULT_MASS, type MassSettings } from '../../consent/requests/alike.ts'
import type { ClockSettings } from '../../consent/requests/clock.ts'
import { RIGHT_RULES } from '../../consent/requests/rights.ts'
import type { Config } from '../../schemas/config.ts'
import type { Right, SystemConfig } from '../../schemas/requests.ts'
import type { LoadedConfig } from '../config.ts'
import type { AnyDestination } from '../kit/define.ts'

export interface RequestDestination {
  readonly id: string
  readonly name: string
  readonly role: 'operator' | 'controller'
  readonly country: string | undefined
  readonly definition: AnyDestination
}

export interface RequestSettings {
  readonly clocks: ClockSettings
  readonly organization: Config['organization']
  readonly publicUrl: string
  readonly purposes: Purposes
  readonly notices: Config['notices']
  readonly declared: Config['purposes']
  readonly audiences: NonNullable<Config['audiences']>
  readonly systems: readonly SystemConfig[]
  readonly destinations: ReadonlyMap<string, RequestDestination>
  readonly simulated: boolean
  /** From how many people within how many days like requests are told as one group. */
  readonly mass: MassSettings
  /** Whether an officer looks at it before it is carried out. */
  approves(right: Right | null): boolean
}

/** Own choice, labelled so wherever it is shown. */
const OWN_DAYS = 15

/** What lists and clocks need: of the configuration alone. */
export type RequestRules = Pick<RequestSettings, 'clocks' | 'approves' | 'mass'>

export function requestRules(config: Config): RequestRules {
  const { requests, organization } = config
  return {
    clocks: {
      timezone: organization.timezone ?? 'America/Sao_Paulo',
      smallAgent: organization.smallAgent === true,
      ownDays: requests?.ownDays ?? OWN_DAYS,
    },
    mass: requests?.mass ?? DEFAULT_MASS,
    approves(right) {
      if (right === null) return false
      const { approval } = RIGHT_RULES[right]
      if (approval === 'none') return false
      return approval === 'always' || (requests?.approval ? requests.approval.includes(right) : true)
    },
  }
}

export function requestSettings(
  loaded: LoadedConfig,
  purposes: Purposes = loadPurposes(loaded.config),
): RequestSettings {
  const { config } = loaded
  return {
    ...requestRules(config),
    organization: config.organization,
    publicUrl: loaded.publicUrl,
    purposes,
    notices: config.notices,
    declared: config.purposes,
    audiences: config.audiences ?? {},
    systems: config.systems ?? [],
    destinations: new Map(
      [...loaded.destinationSettings].map(([id, { definition, role, config: destination }]) => [
        id,
        { id, name: definition.name, role, country: destination.country, definition },
      ]),
    ),
    simulated: config.simulated === true,
  }
}
