import { describe, expect, test } from 'vitest'
import type { PurposeConfig } from '../schemas/config.ts'
import { lintPurposes, loadPurposes, type PurposesConfig, STARTER_PURPOSES } from './purposes.ts'

const text = { pt: 'x', en: 'x' }
const purpose = (over: Partial<PurposeConfig>): PurposeConfig => ({
  basis: 'consent',
  scope: 'person',
  title: text,
  collects: ['*'],
  stages: ['collect', 'decide', 'activate'],
  ...over,
})

describe('the starter set', () => {
  test('passes its own lint and names the ten purposes', () => {
    expect(lintPurposes({ purposes: STARTER_PURPOSES })).toEqual([])
    expect(Object.keys(STARTER_PURPOSES)).toEqual([
      'orders',
      'analytics',
      'onsite_personalization',
      'email_marketing',
      'sms_marketing',
      'whatsapp_marketing',
      'push_marketing',
      'ads_measurement',
      'ads_personalization',
      'customer_care',
    ])
  })

  test('an order opens the contract, an e-mail address does not', () => {
    const purposes = loadPurposes({ purposes: STARTER_PURPOSES })
    expect(purposes.openedBy({ type: 'track', name: 'Order Completed' }).map(({ id }) => id)).toEqual([
      'orders',
      'customer_care',
    ])
    expect(purposes.openedBy({ type: 'identify', name: 'Order Completed' })).toEqual([])
    expect(purposes.openedBy({ type: 'track', name: 'Order Refunded' })).toEqual([])
  })
})

describe('loadPurposes', () => {
  const config: PurposesConfig = {
    purposes: { ...STARTER_PURPOSES, newsletter: purpose({}) },
    destinations: {
      rd: { connector: 'rdstation', role: 'operator', country: 'BR', purposes: { email_marketing: 'newsletter' } },
      'meta-br': { connector: 'meta', role: 'controller', country: 'US', purposes: ['ads_measurement'] },
    },
  }

  test('a controller adds its own share purpose, an operator none', () => {
    const purposes = loadPurposes(config)
    expect(purposes.get('share.meta-br')).toMatchObject({ basis: 'consent', shares: 'meta-br', collects: [] })
    expect(purposes.destinations.get('meta-br')?.sharePurpose?.id).toBe('share.meta-br')
    expect(purposes.has('share.rd')).toBe(false)
  })

  test('an action resolves its starter purpose through the map of the destination', () => {
    const purposes = loadPurposes(config)
    expect(purposes.resolve('rd', 'email_marketing')?.id).toBe('newsletter')
    expect(purposes.resolve('rd', 'newsletter')).toBeUndefined()
    expect(purposes.resolve('rd', 'orders')).toBeUndefined()
    expect(purposes.resolve('meta-br', 'ads_measurement')?.ads).toBe(true)
    expect([...(purposes.get('newsletter')?.starters ?? [])]).toEqual(['newsletter', 'email_marketing'])
  })

  test('a share entry of the configuration brings its own signals', () => {
    const own = purpose({ scope: 'device', collects: [], stages: ['share'], signals: { segment: ['DataSharing'] } })
    const purposes = loadPurposes({
      purposes: { 'share.meta': own },
      destinations: { meta: { connector: 'meta', role: 'controller', purposes: [] } },
    })
    expect(purposes.byCategory.segment.get('DataSharing')?.map(({ id }) => id)).toEqual(['share.meta'])
  })

  test('the policy hash follows what gates read, and nothing else', () => {
    const hash = loadPurposes(config).policyHash
    expect(hash).toMatch(/^[0-9a-f]{64}$/)
    expect(loadPurposes(structuredClone(config)).policyHash).toBe(hash)
    const settings = structuredClone(config)
    settings.destinations!['rd']!.settings = { token: 'other' }
    expect(loadPurposes(settings).policyHash).toBe(hash)
    const country = structuredClone(config)
    country.destinations!['rd']!.country = 'US'
    expect(loadPurposes(country).policyHash).not.toBe(hash)
    const stages = structuredClone(config)
    stages.purposes['newsletter']!.stages = ['collect']
    expect(loadPurposes(stages).policyHash).not.toBe(hash)
  })
})

describe('lintPurposes', () => {
  const errors = (config: PurposesConfig, rules?: Parameters<typeof lintPurposes>[1]) =>
    lintPurposes(config, rules)
      .filter(({ severity }) => severity === 'error')
      .map(({ path }) => path)

  test.each(['google', 'segment', 'rudder'] as const)('refuses a %s category on a communication purpose', (vendor) => {
    for (const id of ['email_marketing', 'sms', 'whatsapp_marketing', 'push_offers']) {
      expect(errors({ purposes: { [id]: purpose({ signals: { [vendor]: ['Advertising'] } }) } })).toEqual([
        `/purposes/${id}/signals/${vendor}`,
      ])
      expect(errors({ purposes: { [id]: purpose({ signals: { [vendor]: ['Advertising'], person: true } }) } })).toEqual(
        [],
      )
    }
  })

  test('knows a communication purpose by what destinations use it for', () => {
    const config: PurposesConfig = {
      purposes: { newsletter: purpose({ signals: { segment: ['Ads'] } }) },
      destinations: {
        rd: { connector: 'rdstation', role: 'operator', country: 'BR', purposes: { email_marketing: 'newsletter' } },
      },
    }
    expect(errors(config)).toEqual(['/purposes/newsletter/signals/segment'])
  })

  test('refuses sensitive data under legitimate interest or contract', () => {
    expect(
      errors({
        purposes: {
          a: purpose({
            basis: 'legitimate_interest',
            sensitive: true,
            lia: { approvedAt: '2026-01-01', approvedBy: 'x', ref: 'x' },
          }),
        },
      }),
    ).toEqual(['/purposes/a/basis'])
    expect(
      errors({ purposes: { a: purpose({ basis: 'contract', sensitive: true, opens: ['Order Completed'] }) } }),
    ).toEqual(['/purposes/a/basis'])
    expect(errors({ purposes: { a: purpose({ sensitive: true }) } })).toEqual([])
  })

  test('says that legitimate interest without a balancing test is off', () => {
    expect(lintPurposes({ purposes: { a: purpose({ basis: 'legitimate_interest' }) } })).toEqual([
      { path: '/purposes/a/lia', severity: 'warning', message: expect.stringContaining('Off') },
    ])
    const lia = { approvedAt: '2026-01-01', approvedBy: 'x', ref: 'x' }
    expect(lintPurposes({ purposes: { a: purpose({ basis: 'legitimate_interest', lia }) } })).toEqual([
      { path: '/purposes/a/lia/phases', severity: 'warning', message: expect.stringContaining('three phases') },
    ])
    const phases = { purpose: 'p', necessity: 'n', balancing: 'b' }
    expect(
      lintPurposes({ purposes: { a: purpose({ basis: 'legitimate_interest', lia: { ...lia, phases } }) } }),
    ).toEqual([])
  })

  test('refuses offers under a contract and ads under a basis that is never theirs, and wants grounds in writing', () => {
    expect(errors({ purposes: { sms_marketing: purpose({ basis: 'contract', opens: ['x'] }) } })).toEqual([
      '/purposes/sms_marketing/basis',
    ])
    expect(errors({ purposes: { ads_x: purpose({ basis: 'research', ground: 'a study of ours' }) } })).toEqual([
      '/purposes/ads_x/basis',
    ])
    expect(lintPurposes({ purposes: { a: purpose({ basis: 'health', sensitive: true }) } })).toEqual([
      expect.objectContaining({ path: '/purposes/a/sensitiveGround', severity: 'warning' }),
      expect.objectContaining({ path: '/purposes/a/ground', severity: 'warning' }),
    ])
  })

  test('a role change that changes nothing is a mistake', () => {
    const roleChange = { from: 'operator' as const, reason: 'the contract of May says so', by: 'Ana', at: '2026-05-01' }
    const base = { connector: 'x', country: 'BR', purposes: [], roleChange }
    expect(errors({ purposes: {}, destinations: { d: { ...base, role: 'operator' } } })).toEqual([
      '/destinations/d/roleChange/from',
    ])
    expect(errors({ purposes: {}, destinations: { d: { ...base, role: 'controller' } } })).toEqual([])
  })

  test('refuses a contract that nothing opens, and unknown purposes in destinations and rules', () => {
    expect(errors({ purposes: { a: purpose({ basis: 'contract' }) } })).toEqual(['/purposes/a/opens'])
    const destinations = {
      list: { connector: 'x', role: 'operator' as const, country: 'BR', purposes: ['a', 'nope'] },
      map: { connector: 'x', role: 'controller' as const, country: 'BR', purposes: { email_marketing: 'gone' } },
    }
    expect(
      errors({ purposes: { a: purpose({}) }, destinations }, [
        { id: 'cart', unless: { purpose: 'missing' } },
        { id: 'ok', unless: { purpose: 'share.map' } },
      ]),
    ).toEqual([
      '/destinations/list/purposes/1',
      '/destinations/map/purposes/email_marketing',
      'rules/cart/unless/purpose',
    ])
  })

  test('says what to write when a destination serves a purpose nobody may act on', () => {
    const purposes = {
      analytics: STARTER_PURPOSES['analytics']!,
      email_marketing: STARTER_PURPOSES['email_marketing']!,
    }
    const cdp = { connector: 'segment', role: 'operator' as const, country: 'BR' }
    const found = lintPurposes({
      purposes,
      destinations: { cdp: { ...cdp, purposes: ['analytics'] }, mail: { ...cdp, purposes: ['email_marketing'] } },
    })
    expect(found).toMatchObject([{ path: '/purposes/analytics/stages', severity: 'warning' }])
    expect(found[0]?.message).toContain('nothing leaves to cdp')
    expect(found[0]?.message).toContain('"stages: [collect, decide, activate]"')
  })

  test('says what to write where another controller has no purpose of sharing', () => {
    const destinations = { ads: { connector: 'meta', role: 'controller' as const, country: 'BR', purposes: [] } }
    const found = lintPurposes({ purposes: {}, destinations })
    expect(found).toMatchObject([{ path: '/purposes/share.ads', severity: 'warning' }])
    expect(found[0]?.message).toContain('Write "share.ads: {basis: consent')
    expect(lintPurposes({ purposes: { 'share.ads': { ...purpose({}), stages: ['share'] } }, destinations })).toEqual([])
  })

  test('the starter set keeps what made somebody a lead', () => {
    const starters = loadPurposes({ purposes: STARTER_PURPOSES })
    const wanting = (name: string) => starters.wanting({ type: 'track', name }).purposes.map(({ id }) => id)
    expect(wanting('Lead Converted')).toEqual(
      expect.arrayContaining(['email_marketing', 'sms_marketing', 'whatsapp_marketing']),
    )
  })

  test('points at destinations abroad without a ground', () => {
    const destination = { connector: 'x', role: 'operator' as const, purposes: [] }
    const paths = (over: object) =>
      lintPurposes({ purposes: {}, destinations: { d: { ...destination, ...over } } }).map(({ path }) => path)
    expect(paths({})).toEqual(['/destinations/d/country'])
    expect(lintPurposes({ purposes: {}, destinations: { d: destination } })[0]?.message).toContain(
      'Add the line "country: BR" to destinations.d',
    )
    expect(paths({ country: 'US' })).toEqual(['/destinations/d/transfer'])
    expect(paths({ country: 'US', transfer: { art33: 'II.a', ref: 'SCC 2025' } })).toEqual([])
    expect(paths({ country: 'DE' })).toEqual([])
  })
})

describe('notices', () => {
  const notice = {
    version: 1,
    since: '2026-01-01',
    text: 'Loja Exemplo (dpo@loja.example) usa cookies para medir visitas, por 13 meses.\nNão compartilhamos. Respondemos por isso. Você pode revogar.',
    covers: {
      purpose: 'para medir visitas',
      duration: 'por 13 meses',
      controller: 'Loja Exemplo',
      contact: 'dpo@loja.example',
      sharing: 'Não compartilhamos',
      duties: 'Respondemos por isso',
      rights: 'Você pode   REVOGAR',
    },
  }
  const organization = { name: 'Loja Exemplo', dpo: { name: 'Ana', email: 'dpo@loja.example' } }
  const findings = (over: Partial<PurposesConfig>) =>
    lintPurposes({ purposes: { analytics: purpose({}) }, organization, notices: { cookies: [notice] }, ...over }).map(
      ({ path, severity }) => `${severity} ${path}`,
    )

  test('one that says all seven items of art. 9 passes', () => {
    expect(findings({})).toEqual([])
  })

  test('one that leaves an item out, or quotes what it does not say, is refused', () => {
    const { rights: _, ...six } = notice.covers
    expect(findings({ notices: { cookies: [{ ...notice, covers: six }] } })).toEqual([
      'error /notices/cookies/0/covers/rights',
    ])
    expect(
      findings({ notices: { cookies: [{ ...notice, covers: { ...notice.covers, sharing: 'with Meta' } }] } }),
    ).toEqual(['error /notices/cookies/0/covers/sharing'])
  })

  test('a source that names a text nobody has is refused; a second version must say what changed', () => {
    const site = (version: number) => ({ site: { connector: 'segment', notice: { id: 'cookies', version } } })
    expect(findings({ sources: site(1) })).toEqual([])
    expect(findings({ sources: site(2) })).toEqual(['error /sources/site/notice'])
    const second = { ...notice, version: 2, since: '2026-02-01' }
    expect(findings({ notices: { cookies: [notice, second] } })).toEqual(['warning /notices/cookies/1/materialChange'])
    expect(
      findings({ notices: { cookies: [notice, { ...second, since: '2025-01-01', materialChange: [] }] } }),
    ).toEqual(['error /notices/cookies'])
  })

  test('a text that names neither the company nor its encarregado is pointed at', () => {
    const anonymous = { name: 'Outra', dpo: { name: 'Ana', email: 'x@y.example' } }
    expect(findings({ organization: anonymous })).toEqual([
      'warning /notices/cookies/0/text',
      'warning /notices/cookies/0/text',
    ])
  })
})
