import type { LedgerStatus } from '../../schemas/ledger.ts'
import { get } from './api.ts'

/** Where the ledger stands, asked once for every screen that says so. */
export const ledgerQuery = {
  queryKey: ['ledger', 'status'],
  queryFn: () => get<LedgerStatus>('/api/ledger'),
  refetchInterval: 15_000,
}
