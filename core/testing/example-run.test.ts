/** What the contract suite does with a connector that reaches a host it does not declare. */
import { Type } from 'typebox'
import { expect, test } from 'vitest'
import { type AnyDestination, defineDestination } from '../kit/define.ts'
import type { HttpRequest } from '../kit/http.ts'
import { GIVEN, plainHttp, runAction } from './example-run.ts'

const words = { pt: 'x', en: 'x' }
const definition = (hosts: readonly string[]): AnyDestination =>
  defineDestination({
    id: 'wanderer',
    name: 'Wanderer',
    docs: 'https://vendor.example',
    support: 'community',
    baseUrl: 'https://api.vendor.example',
    hosts,
    settings: Type.Object({}),
    limits: { perSecond: 1, concurrency: 1 },
    actions: {
      send: {
        title: words,
        description: words,
        purpose: 'orders',
        kind: 'event',
        identifier: ['email'],
        idempotency: 'none',
        payload: Type.Object({}),
        perform: ({ http }) => http.request('POST', 'https://files.elsewhere.example/in', { json: {} }),
      },
    },
    check: async () => ({ ok: true, detail: '' }),
    deleteSubject: { impossible: words },
    exportSubject: { impossible: words },
    correctSubject: { impossible: words },
    feedback: { none: words },
  })

test.each([
  [[], 'rejected', 0],
  [['*.elsewhere.example'], 'delivered', 1],
] as const)('declared %j: %s', async (hosts, status, sent) => {
  const requests: HttpRequest[] = []
  const transport = async (request: HttpRequest) => {
    requests.push(request)
    return { status: 200, headers: {}, text: '', json: undefined }
  }
  const signals = { rd: [], google: {}, segment: {}, rudder: { allowedConsentIds: [], deniedConsentIds: [] } }
  const item = { payload: {}, signals, delivery: GIVEN.delivery(), occurredAt: GIVEN.now }
  const { results } = await runAction(definition(hosts), 'send', [item], { settings: {}, transport })
  expect(results).toMatchObject([{ status }])
  expect(requests).toHaveLength(sent)
  const http = plainHttp(definition(hosts), {}, transport)
  const asked = http.lookup('https://files.elsewhere.example/out')
  if (sent === 0) await expect(asked).rejects.toThrow('does not declare it under hosts')
  else await expect(asked).resolves.toMatchObject({ status: 200 })
})
