/** Columns of a delivery as it enters the outbox, in the order in which its rows are written; the rest is filled on its way. */
export const NEW_DELIVERY = [
  'id',
  'destination',
  'action',
  'kind',
  'person_id',
  'node_id',
  'purpose',
  'channel',
  'rule',
  'rule_version',
  'arm',
  'event_id',
  'ord',
  'status',
  'reason',
  'entry_id',
  'due_at',
  'expires_at',
  'attempt',
  'input',
  'created_at',
  'since',
] as const

/** Those of rules with variants or offers have two columns more. */
export const NEW_OFFERED_DELIVERY = [...NEW_DELIVERY, 'variant', 'offer'] as const
