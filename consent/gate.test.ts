import { describe, expect, test } from 'vitest'
import type { PurposeConfig } from '../schemas/config.ts'
import { STATUSES, type Status } from '../schemas/consent.ts'
import { keepFields } from './collects.ts'
import {
  collect,
  decide,
  isHalt,
  type Permit,
  type PermitRequest,
  permit,
  permitWithdrawal,
  type StatusOf,
} from './gate.ts'
import { loadPurposes, type PurposesConfig, STARTER_PURPOSES } from './purposes.ts'
import type { PurposeStatus } from './status.ts'

const NOW = '2026-11-24T10:00:00.000Z'

const statusOf = (statuses: Record<string, Status>): StatusOf => {
  return (purpose): PurposeStatus | undefined =>
    statuses[purpose.id] && {
      status: statuses[purpose.id]!,
      basis: purpose.basis,
      entryId: `entry-${purpose.id}`,
      actor: 'subject',
      evidenceClass: 'valid',
      occurredAt: NOW,
      receivedAt: NOW,
      originKind: 'x',
      originRef: 'x',
      seen: 1,
      lastSeenAt: NOW,
      lastSeenOrigin: 'x/x',
    }
}

const config: PurposesConfig = {
  purposes: {
    ...STARTER_PURPOSES,
    stats: {
      basis: 'legitimate_interest',
      scope: 'device',
      title: { pt: '', en: '' },
      collects: ['Feature Used'],
      stages: ['collect'],
      lia: {
        approvedAt: '2026-01-01',
        approvedBy: 'x',
        ref: 'x',
        phases: { purpose: 'p', necessity: 'n', balancing: 'b' },
      },
    } satisfies PurposeConfig,
  },
  destinations: {
    rd: { connector: 'rdstation', role: 'operator', country: 'BR', purposes: ['email_marketing', 'orders'] },
    meta: {
      connector: 'meta',
      role: 'controller',
      country: 'US',
      transfer: { art33: 'II.a', ref: 'SCC' },
      purposes: ['ads_measurement', 'orders'],
    },
    abroad: { connector: 'webhook', role: 'operator', country: 'US', purposes: ['email_marketing', 'orders'] },
    nowhere: { connector: 'webhook', role: 'operator', purposes: ['email_marketing'] },
  },
}
const purposes = loadPurposes(config)
const order = { type: 'track', name: 'Order Completed' } as const

describe('collect', () => {
  const ask = (event: Parameters<typeof collect>[0], statuses: Record<string, Status>, suppressed = false) =>
    collect(event, statusOf(statuses), purposes, NOW, { suppressed })

  test('keeps for the purposes that allow it, with the entries it rests on', () => {
    const kept = ask(order, { orders: 'granted', analytics: 'granted', email_marketing: 'revoked' })
    expect(kept.effect === 'keep' && kept.allowed.map(({ id }) => id)).toEqual(['orders', 'analytics'])
    expect(kept).toMatchObject({ entries: { orders: 'entry-orders', analytics: 'entry-analytics' } })
  })

  test('what one purpose keeps is not held for the others', () => {
    expect(ask(order, { analytics: 'granted' }).effect).toBe('keep')
  })

  test('holds while a purpose that asks for consent has no answer, and drops when all have refused', () => {
    expect(ask(order, {})).toMatchObject({ effect: 'hold' })
    const refused = Object.fromEntries(
      purposes.all.filter(({ basis }) => basis === 'consent').map(({ id }) => [id, 'denied' as const]),
    )
    expect(ask(order, refused)).toMatchObject({ effect: 'drop', code: 'CONSENT_DENIED' })
    expect(ask(order, { ...refused, analytics: 'unknown' })).toMatchObject({ effect: 'hold' })
    for (const status of STATUSES.filter((one) => one !== 'unknown' && one !== 'granted' && one !== 'stale')) {
      expect(ask({ type: 'track', name: 'Feature Used' }, { analytics: status, stats: 'denied' })).toMatchObject({
        effect: 'drop',
        code: 'CONSENT_DENIED',
      })
    }
  })

  test('what nobody declared is dropped as such, and the forgotten stay forgotten', () => {
    const narrow = loadPurposes({ purposes: { orders: STARTER_PURPOSES['orders']! } })
    expect(collect({ type: 'track', name: 'Mouse Moved' }, statusOf({ orders: 'granted' }), narrow, NOW)).toMatchObject(
      {
        effect: 'drop',
        code: 'NO_PURPOSE',
      },
    )
    expect(ask(order, { orders: 'granted' }, true)).toMatchObject({ effect: 'drop', code: 'SUBJECT_SUPPRESSED' })
  })

  test('a contract that is not open neither keeps nor holds', () => {
    const only = loadPurposes({ purposes: { orders: STARTER_PURPOSES['orders']! } })
    expect(collect(order, statusOf({}), only, NOW)).toMatchObject({ effect: 'drop', code: 'CONSENT_DENIED' })
    const lapsed: StatusOf = (purpose) => ({
      ...statusOf({ orders: 'granted' })(purpose)!,
      expiresAt: '2026-11-24T09:59:59.000Z',
    })
    expect(collect(order, lapsed, only, NOW)).toMatchObject({ effect: 'drop', code: 'CONSENT_DENIED' })
  })

  test('legitimate interest needs no entry, and an opposition ends it', () => {
    expect(ask({ type: 'track', name: 'Feature Used' }, { analytics: 'denied' })).toMatchObject({
      effect: 'keep',
      entries: {},
    })
    expect(ask({ type: 'track', name: 'Feature Used' }, { analytics: 'denied', stats: 'denied' })).toMatchObject({
      effect: 'drop',
      code: 'CONSENT_DENIED',
    })
  })

  test('consent given for another legal basis counts as none', () => {
    const changed: StatusOf = (purpose) => ({
      ...statusOf({ [purpose.id]: 'granted' })(purpose)!,
      basis: 'legitimate_interest',
    })
    expect(collect({ type: 'page', name: 'Home' }, changed, purposes, NOW)).toMatchObject({ effect: 'hold' })
  })

  test('a status word this version does not know is denied', () => {
    const newer = statusOf({ analytics: 'delegated' as Status })
    const only = loadPurposes({ purposes: { analytics: STARTER_PURPOSES['analytics']! } })
    expect(collect(order, newer, only, NOW)).toMatchObject({ effect: 'drop', code: 'CONSENT_DENIED' })
    expect(decide(only.get('analytics')!, newer, only, NOW)).toMatchObject({ code: 'NO_CONSENT' })
  })

  test('the same set comes as the same array, and more than thirty purposes work as well', () => {
    const first = ask(order, { orders: 'granted' })
    const second = ask(order, { orders: 'granted', email_marketing: 'denied' })
    expect(first.effect === 'keep' && second.effect === 'keep' && first.allowed === second.allowed).toBe(true)
    const many = loadPurposes({
      purposes: Object.fromEntries(
        Array.from({ length: 40 }, (_, index) => [`p${index}`, { ...STARTER_PURPOSES['analytics']!, signals: {} }]),
      ),
    })
    const kept = collect(order, statusOf({ p3: 'granted', p35: 'granted' }), many, NOW)
    expect(kept.effect === 'keep' && kept.allowed.map(({ id }) => id)).toEqual(['p3', 'p35'])
  })
})

describe('decide', () => {
  test('grants with the entry, or halts with the reason and the entry', () => {
    const mail = purposes.get('email_marketing')!
    expect(decide(mail, statusOf({ email_marketing: 'granted' }), purposes, NOW)).toMatchObject({
      granted: true,
      entryId: 'entry-email_marketing',
    })
    expect(decide(mail, statusOf({ email_marketing: 'revoked' }), purposes, NOW)).toEqual({
      code: 'NO_CONSENT',
      reasons: [{ code: 'consent_revoked', art: '8 §5' }],
      entryId: 'entry-email_marketing',
    })
    expect(decide(mail, statusOf({}), purposes, NOW)).toMatchObject({
      code: 'NO_CONSENT',
      reasons: [{ code: 'consent_unknown' }],
    })
    expect(decide(mail, statusOf({ email_marketing: 'granted' }), purposes, NOW, { suppressed: true })).toMatchObject({
      code: 'SUBJECT_SUPPRESSED',
    })
    expect(decide(purposes.get('stats')!, statusOf({}), purposes, NOW)).toMatchObject({
      code: 'NO_CONSENT',
      reasons: [{ code: 'undeclared_stage' }],
    })
  })
})

describe('permit', () => {
  const ask = (
    destinationId: string,
    starter: string,
    statuses: Record<string, Status>,
    over: Partial<PermitRequest> = {},
  ) =>
    permit({
      purpose: purposes.resolve(destinationId, starter),
      destinationId,
      statusOf: statusOf(statuses),
      purposes,
      fences: [],
      now: NOW,
      ...over,
    })
  const code = (...args: Parameters<typeof ask>) => {
    const answer = ask(...args)
    return isHalt(answer) ? answer.code : 'PERMITTED'
  }

  test('only granted consent passes', () => {
    for (const status of STATUSES)
      expect([status, code('rd', 'email_marketing', { email_marketing: status })]).toEqual([
        status,
        status === 'granted' ? 'PERMITTED' : 'BLOCKED_BY_CONSENT',
      ])
    expect(code('rd', 'email_marketing', {})).toBe('BLOCKED_BY_CONSENT')
  })

  test('a permit names what it rests on', () => {
    expect(ask('rd', 'email_marketing', { email_marketing: 'granted' })).toMatchObject({
      purpose: 'email_marketing',
      destination: 'rd',
      entryId: 'entry-email_marketing',
      policyHash: purposes.policyHash,
      asOf: NOW,
    })
  })

  test('a fence blocks before status is looked at, on the purpose, on its sharing, or on all', () => {
    const never: StatusOf = (purpose) =>
      purpose.id === 'email_marketing' ? statusOf({ email_marketing: 'granted' })(purpose) : undefined
    expect(code('rd', 'email_marketing', {}, { statusOf: never, fences: [{ purposes: ['email_marketing'] }] })).toBe(
      'BLOCKED_BY_FENCE',
    )
    expect(code('rd', 'email_marketing', { email_marketing: 'granted' }, { fences: [{ purposes: '*' }] })).toBe(
      'BLOCKED_BY_FENCE',
    )
    expect(
      code('rd', 'email_marketing', { email_marketing: 'granted' }, { fences: [{ purposes: ['analytics'] }] }),
    ).toBe('PERMITTED')
    expect(
      code(
        'meta',
        'ads_measurement',
        { ads_measurement: 'granted', 'share.meta': 'granted' },
        { fences: [{ purposes: ['share.meta'] }] },
      ),
    ).toBe('BLOCKED_BY_FENCE')
  })

  test('another controller needs its own consent; contract data go to it only when the contract names it', () => {
    expect(code('meta', 'ads_measurement', { ads_measurement: 'granted' })).toBe('BLOCKED_BY_SHARING')
    expect(code('meta', 'ads_measurement', { ads_measurement: 'granted', 'share.meta': 'revoked' })).toBe(
      'BLOCKED_BY_SHARING',
    )
    expect(code('meta', 'orders', { orders: 'granted' })).toBe('BLOCKED_BY_SHARING')
    const named = loadPurposes({
      ...config,
      purposes: {
        ...config.purposes,
        orders: { ...config.purposes['orders']!, contract: { ref: 'terms', recipients: ['meta'] } },
      },
    })
    const given = { purposes: named, purpose: named.get('orders') }
    expect(code('meta', 'orders', { orders: 'granted' }, given)).toBe('PERMITTED')
    expect(code('meta', 'orders', { orders: 'granted', 'share.meta': 'revoked' }, given)).toBe('BLOCKED_BY_SHARING')
    expect(code('meta', 'ads_measurement', { 'share.meta': 'granted' })).toBe('BLOCKED_BY_CONSENT')
    expect(ask('meta', 'ads_measurement', { ads_measurement: 'granted', 'share.meta': 'granted' })).toMatchObject({
      shareEntryId: 'entry-share.meta',
    })
  })

  test('abroad needs a ground, contract data brings its own; an undeclared country is abroad', () => {
    expect(code('abroad', 'email_marketing', { email_marketing: 'granted' })).toBe('BLOCKED_BY_TRANSFER')
    expect(code('nowhere', 'email_marketing', { email_marketing: 'granted' })).toBe('BLOCKED_BY_TRANSFER')
    expect(code('abroad', 'orders', { orders: 'granted' })).toBe('PERMITTED')
  })

  test('what the destination does not declare never leaves', () => {
    expect(code('rd', 'analytics', { analytics: 'granted' })).toBe('UNDECLARED')
    expect(code('gone', 'orders', { orders: 'granted' })).toBe('UNDECLARED')
    expect(code('rd', 'orders', { analytics: 'granted' }, { purpose: purposes.get('analytics') })).toBe('UNDECLARED')
    expect(code('rd', 'email_marketing', { email_marketing: 'granted' }, { suppressed: true })).toBe(
      'SUBJECT_SUPPRESSED',
    )
  })

  test('a permit cannot be made by hand', () => {
    const send = (granted: Permit) => granted.purpose
    // @ts-expect-error the brand is missing and cannot be named outside consent/gate.ts
    expect(send({ purpose: 'x', destination: 'rd', reasons: [], policyHash: '', asOf: NOW })).toBe('x')
    const real = ask('rd', 'email_marketing', { email_marketing: 'granted' })
    expect(!isHalt(real) && send(real)).toBe('email_marketing')
  })
})

describe('minors', () => {
  const child = { type: 'track', name: 'Product Viewed' } as const
  const by = (actor: PurposeStatus['actor'], ids: readonly string[]): StatusOf => {
    const of = statusOf(Object.fromEntries(ids.map((id) => [id, 'granted' as const])))
    return (purpose) => {
      const status = of(purpose)
      return status && { ...status, actor }
    }
  }
  const all = ['analytics', 'ads_measurement', 'ads_personalization', 'share.meta', 'email_marketing']
  const kept = (actor: PurposeStatus['actor'], age: 'child' | 'teen' | 'adult' | 'unknown', given = purposes) => {
    const answer = collect(child, by(actor, all), given, NOW, { age })
    return answer.effect === 'keep' ? answer.allowed.map(({ id }) => id) : answer.effect
  }

  test('nobody under 18 is in an ads purpose; under 12 consent comes from the guardian', () => {
    expect(kept('subject', 'adult')).toEqual(['analytics', 'email_marketing', 'ads_measurement', 'ads_personalization'])
    expect(kept('subject', 'teen')).toEqual(['analytics', 'email_marketing'])
    expect(kept('subject', 'child')).not.toContain('email_marketing')
    expect(kept('guardian', 'child')).toEqual(['analytics', 'email_marketing'])
  })

  test('of a product for children, people of unknown age count as minors', () => {
    const forChildren = loadPurposes({ ...config, minors: { audience: 'children' } })
    expect(kept('subject', 'unknown')).toContain('ads_measurement')
    expect(kept('subject', 'unknown', forChildren)).toEqual(['analytics', 'email_marketing'])
  })

  test('a child without the guardian shares nothing with another controller, and gets no ads', () => {
    const ask = (actor: PurposeStatus['actor'], age: 'child' | 'teen' | 'adult') => {
      const answer = permit({
        purpose: purposes.get('ads_measurement'),
        destinationId: 'meta',
        statusOf: by(actor, all),
        purposes,
        fences: [],
        now: NOW,
        age,
      })
      return isHalt(answer) ? answer.reasons.map(({ code }) => code) : 'PERMITTED'
    }
    expect(ask('subject', 'adult')).toBe('PERMITTED')
    expect(ask('subject', 'teen')).toEqual(['minor_ads'])
    expect(ask('subject', 'child')).toEqual(['minor_ads', 'guardian_missing', 'sharing_not_consented'])
  })
})

describe('a notice that changed', () => {
  const version = (number: number, since: string, materialChange: ('9.I' | '9.V')[]) => ({
    version: number,
    since,
    text: 'x',
    covers: {},
    materialChange,
  })
  const withChange = (materialChange: ('9.I' | '9.V')[], since = '2026-11-01', purposesOf?: string[]) =>
    loadPurposes({
      ...config,
      notices: {
        cookies: [
          version(1, '2026-01-01', []),
          { ...version(2, since, materialChange), ...(purposesOf && { purposes: purposesOf }) },
        ],
      },
    })
  const agreedTo =
    (notice: { id: string; version: number }): StatusOf =>
    (purpose) => {
      const status = statusOf({ analytics: 'granted' })(purpose)
      return status && { ...status, notice }
    }
  const visit = { type: 'page', name: 'Home' } as const
  const asked = (given: typeof purposes, notice = { id: 'cookies', version: 1 }) => ({
    collect: collect(visit, agreedTo(notice), given, NOW).effect,
    decide: isHalt(decide(given.get('analytics')!, agreedTo(notice), given, NOW)),
  })

  test('makes older answers stale: collected goes on, nothing is decided', () => {
    expect(asked(withChange(['9.V']))).toEqual({ collect: 'keep', decide: true })
    expect(asked(withChange(['9.V']), { id: 'cookies', version: 2 })).toEqual({ collect: 'keep', decide: false })
  })

  test('of the purpose itself, not even collecting goes on', () => {
    expect(asked(withChange(['9.I'])).collect).not.toBe('keep')
  })

  test('only when material, in force, of this notice and about this purpose', () => {
    const unchanged = { collect: 'keep', decide: false }
    expect(asked(withChange([]))).toEqual(unchanged)
    expect(asked(withChange(['9.V'], '2026-12-01'))).toEqual(unchanged)
    expect(asked(withChange(['9.V'], '2026-11-01', ['email_marketing']))).toEqual(unchanged)
    expect(asked(withChange(['9.V']), { id: 'other', version: 1 })).toEqual(unchanged)
  })
})

describe('telling a tool of a withdrawal', () => {
  const ask = (status: Status | undefined, destinationId = 'rd', purpose = 'email_marketing') => {
    const answer = permitWithdrawal({
      purpose: purposes.get(purpose),
      destinationId,
      statusOf: statusOf(status ? { [purpose]: status } : {}),
      purposes,
      now: NOW,
    })
    return isHalt(answer) ? answer.code : answer.entryId
  }

  test('needs no consent, only that it was withdrawn and not given again', () => {
    for (const status of ['denied', 'revoked', 'expired', 'conflict'] as const)
      expect(ask(status)).toBe('entry-email_marketing')
    for (const status of ['granted', 'unknown', undefined] as const) expect(ask(status)).toBe('GRANTED_AGAIN')
  })

  test('goes only where the purpose was declared', () => {
    expect(ask('revoked', 'meta')).toBe('UNDECLARED')
    expect(ask('revoked', 'gone')).toBe('UNDECLARED')
  })

  test('a controller is told that sharing with it was withdrawn', () => {
    expect(ask('revoked', 'meta', 'share.meta')).toBe('entry-share.meta')
    expect(ask('revoked', 'rd', 'share.meta')).toBe('UNDECLARED')
  })
})

test('what is kept carries only what the allowing purposes asked for', () => {
  const event = { type: 'identify', name: 'identify' } as const
  const kept = collect(
    event,
    statusOf({ sms_marketing: 'granted', email_marketing: 'denied', analytics: 'granted' }),
    purposes,
    NOW,
  )
  if (kept.effect !== 'keep') throw new Error('not kept')
  const { event: stored } = keepFields(
    {
      schemaVersion: 1,
      id: 'i',
      messageId: 'm',
      ...event,
      occurredAt: NOW,
      receivedAt: NOW,
      source: { id: 's', connector: 'segment', payloadHash: '' },
      subject: { identifiers: [] },
      traits: { email: 'ana@example.com', phone: '+5511999998888', name: 'Ana', cpf: '1' },
      properties: {},
      context: {},
      consent: [],
    },
    kept.allowed,
  )
  expect(stored.traits).toEqual({ phone: '+5511999998888', name: 'Ana' })
})
