import { PERMISSIONS, type Permission, type Role } from '../../../schemas/admin.ts'

/** Who may do what. Every route names one permission, and this is the only table that answers. */
export const ROLE_PERMISSIONS: Readonly<Record<Role, readonly Permission[]>> = {
  admin: PERMISSIONS,
  marketing: [
    'overview.read',
    'events.read',
    'deliveries.read',
    'deliveries.redrive',
    'quarantine.read',
    'connectors.read',
    'rules.read',
    'rules.write',
  ],
  compliance: [
    'overview.read',
    'events.read',
    'deliveries.read',
    'quarantine.read',
    'connectors.read',
    'rules.read',
    'ledger.read',
    'ledger.checkpoint',
    'retention.read',
    'retention.write',
    'records.read',
    'incidents.read',
    'incidents.write',
    'people.reveal',
    'access.read',
    'keys.shred',
    'consent.read',
    'consent.write',
    'requests.read',
    'requests.write',
  ],
  // Reads everything and changes nothing; sees pseudonyms, since it may not reveal.
  auditor: [
    'overview.read',
    'events.read',
    'deliveries.read',
    'quarantine.read',
    'connectors.read',
    'rules.read',
    'ledger.read',
    'retention.read',
    'records.read',
    'incidents.read',
    'access.read',
    'consent.read',
    'requests.read',
  ],
  integrator: [
    'overview.read',
    'events.read',
    'deliveries.read',
    'deliveries.redrive',
    'quarantine.read',
    'quarantine.write',
    'connectors.read',
    'rules.read',
    'connectors.write',
    'sources.write',
    'consent.read',
    'consent.write',
  ],
  viewer: ['overview.read'],
}

export function isRole(value: unknown): value is Role {
  return typeof value === 'string' && Object.hasOwn(ROLE_PERMISSIONS, value)
}
