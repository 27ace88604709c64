/** What the address says: every view can be sent to somebody as a link. */
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useCallback } from 'react'
import { isRange, type Range } from './range.ts'

export interface Address {
  range?: Range | undefined
  /** The delivery whose "Por que?" stands open. */
  delivery?: string | undefined
  /** Agora: the step of the strip, and the line of the live list. */
  step?: string | undefined
  line?: string | undefined
  destination?: string | undefined
  status?: string | undefined
  code?: string | undefined
  rule?: string | undefined
  action?: string | undefined
  /** Status code of the vendor's answer. */
  http?: string | undefined
  inRange?: true | undefined
  source?: string | undefined
  show?: 'all' | undefined
  tab?: 'users' | 'tokens' | undefined
  /** The ledger entry whose proof stands open. */
  entry?: string | undefined
  /** Privacidade: what lists are narrowed by. Days as YYYY-MM-DD, in the zone of the organization. */
  purpose?: string | undefined
  type?: string | undefined
  subject?: string | undefined
  from?: string | undefined
  until?: string | undefined
  right?: string | undefined
  /** Group of like requests. */
  group?: string | undefined
  state?: string | undefined
  act?: string | undefined
  actor?: string | undefined
  /** What stands open: a data-subject request, an incident, a rule, an audience. */
  item?: string | undefined
  /** Log-in page: where to go afterwards. */
  to?: string | undefined
}

export type Place =
  | '/now'
  | '/deliveries'
  | '/quarantine'
  | '/rules'
  | '/audiences'
  | '/connectors'
  | '/connectors/catalog'
  | '/connectors/source'
  | '/settings'
  | '/login'
  | '/privacy'
  | '/privacy/ledger'
  | '/privacy/purposes'
  | '/privacy/flows'
  | '/privacy/person'
  | '/privacy/requests'
  | '/privacy/retention'
  | '/privacy/records'
  | '/privacy/incidents'
  | '/privacy/audit'

const TEXTS = [
  'delivery',
  'step',
  'line',
  'destination',
  'status',
  'code',
  'rule',
  'action',
  'http',
  'source',
  'to',
  'entry',
  'purpose',
  'type',
  'subject',
  'from',
  'until',
  'right',
  'group',
  'state',
  'act',
  'actor',
  'item',
] as const

/** Anybody can write an address by hand: what does not fit is left out. */
export function readAddress(search: Readonly<Record<string, unknown>>): Address {
  const address: Address = {}
  for (const name of TEXTS) {
    // The router reads ?code=1 as a number.
    const value = search[name]
    if ((typeof value === 'string' && value !== '') || typeof value === 'number') address[name] = String(value)
  }
  if (isRange(search['range'])) address.range = search['range']
  if (search['inRange'] === true) address.inRange = true
  if (search['show'] === 'all') address.show = 'all'
  if (search['tab'] === 'users' || search['tab'] === 'tokens') address.tab = search['tab']
  return address
}

export function useAddress(): Address {
  return useSearch({ strict: false }) as Address
}

/** Where somebody begins: an encarregado at what she answers for, an integrator at the connectors. */
export const homeOf = (role: string): Place =>
  role === 'compliance' || role === 'auditor' ? '/privacy' : role === 'integrator' ? '/connectors' : '/now'

/** Changes what is named and keeps the rest; another place keeps only the period. */
export function useChangeAddress(): (change: Address, options?: { replace?: boolean }) => void {
  const navigate = useNavigate()
  return useCallback(
    (change, options) => {
      void navigate({
        to: '.',
        search: (before: Address) => ({ ...before, ...change }),
        resetScroll: false,
        replace: options?.replace ?? false,
      } as never)
    },
    [navigate],
  )
}

export function useGo(): (to: Place, address?: Address, options?: { replace?: boolean }) => void {
  const navigate = useNavigate()
  return useCallback(
    (to, address, options) => {
      void navigate({
        to,
        search: (before: Address) => ({ range: before.range, ...address }),
        replace: options?.replace ?? false,
      } as never)
    },
    [navigate],
  )
}

/** Properties of a Link (or a button that is one) to another place. */
export function linkTo(to: Place, address: Address = {}) {
  return { to, search: ((before: Address) => ({ range: before.range, ...address })) as never }
}

/** Properties of a Link that changes only this page's address. */
export function linkChanging(change: Address) {
  return { to: '.', search: ((before: Address) => ({ ...before, ...change })) as never, resetScroll: false }
}
