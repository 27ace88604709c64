/** Salesforce REST in miniature: contacts by AnuenteId__c and one campaign. */

import { createHash } from 'node:crypto'
import {
  createOAuthAccount,
  defineSandbox,
  fieldsOf,
  listOf,
  type OAuthAccount,
  routed,
  type SandboxAnswer,
} from '../../core/testing/sandbox.ts'

export interface SalesforceState {
  readonly oauth: OAuthAccount
  /** External id -> record with its Id. */
  readonly contacts: Map<string, Record<string, unknown>>
  /** Ids of the members' external ids. */
  readonly members: Set<string>
  readonly tasks: Record<string, unknown>[]
}

const TOKEN = '00Dsandbox!salesforce-token'
const CLIENT = { clientId: 'salesforce-sandbox-client', clientSecret: 'salesforce-sandbox-client-secret' }
const CAMPAIGN = '701000000000001'
const KEY = 'AnuenteId__c'
const FIELDS = [
  KEY,
  'FirstName',
  'LastName',
  'Email',
  'MobilePhone',
  'Title',
  'MailingCity',
  'MailingState',
  'Plano__c',
]

// https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
const failure = (status: number, errorCode: string, message: string): SandboxAnswer => ({
  status,
  body: [{ errorCode, message }],
})
const idOf = (prefix: string, text: string) => prefix + createHash('sha256').update(text).digest('hex').slice(0, 12)
const refusal = (statusCode: string) => ({ success: false, errors: [{ statusCode, message: 'refused', fields: [] }] })

export default defineSandbox<SalesforceState>({
  connector: 'salesforce',
  state: () => ({
    oauth: createOAuthAccount({
      clientId: CLIENT.clientId,
      clientSecret: CLIENT.clientSecret,
      authorizePath: '/services/oauth2/authorize',
      tokenPath: '/services/oauth2/token',
      accessSeconds: 7200,
      tellsExpiry: false,
      // As a connected app with refresh token rotation.
      rotates: true,
      pkce: true,
      body: 'form',
    }),
    contacts: new Map(),
    members: new Set(),
    tasks: [],
  }),
  settings: () => ({ instance: 'loja.my.salesforce.com', accessToken: TOKEN }),
  refused: () => ({ instance: 'loja.my.salesforce.com', accessToken: '00Dexpired!' }),
  oauth: { settings: () => ({ instance: 'loja.my.salesforce.com', ...CLIENT }), account: ({ oauth }) => oauth },
  handle: routed<SalesforceState>({
    open: (request, { oauth }) => oauth.answer(request),
    refuse: ({ headers, now }, { oauth }) =>
      headers['authorization'] === `Bearer ${TOKEN}` || oauth.accepts(headers['authorization'], now)
        ? undefined
        : failure(401, 'INVALID_SESSION_ID', 'Session expired or invalid'),
    missing: failure(404, 'NOT_FOUND', 'The requested resource does not exist'),
    routes: [
      {
        method: 'GET',
        path: /\/sobjects\/Contact\/describe$/,
        answer: () => ({ status: 200, body: { fields: FIELDS.map((name) => ({ name, externalId: name === KEY })) } }),
      },
      {
        // …/resources_composite_sobjects_collections_upsert.htm: 200 records, a result for each.
        method: 'PATCH',
        path: /\/composite\/sobjects\/Contact\/AnuenteId__c$/,
        answer: ({ body }, state) => {
          const records = listOf(fieldsOf(body)['records'])
          if (records.length === 0 || records.length > 200) return failure(400, 'JSON_PARSER_ERROR', '1 to 200 records')
          return {
            status: 200,
            body: records.map(({ attributes: _, ...record }) => {
              if (Object.keys(record).some((name) => !FIELDS.includes(name) && !/^Mailing/.test(name)))
                return refusal('INVALID_FIELD')
              if (!record['LastName']) return refusal('REQUIRED_FIELD_MISSING')
              if (record['Email'] !== undefined && !/^[^\s@]+@[^\s@]+$/.test(String(record['Email'])))
                return refusal('INVALID_EMAIL_ADDRESS')
              const key = String(record[KEY])
              const Id = idOf('003', key)
              state.contacts.set(key, { ...state.contacts.get(key), ...record, Id })
              return { id: Id, success: true, errors: [] }
            }),
          }
        },
      },
      {
        method: 'POST',
        path: /\/composite\/sobjects$/,
        answer: ({ body }, state) => ({
          status: 200,
          body: listOf(fieldsOf(body)['records']).map((record) => {
            const key = String(fieldsOf(record['Contact'])[KEY])
            if (record['CampaignId'] !== CAMPAIGN) return refusal('INVALID_CROSS_REFERENCE_KEY')
            if (!state.contacts.has(key)) return refusal('INVALID_FIELD')
            if (state.members.has(key)) return refusal('DUPLICATE_VALUE')
            state.members.add(key)
            return { id: idOf('00v', key), success: true, errors: [] }
          }),
        }),
      },
      {
        method: 'GET',
        path: /\/query$/,
        answer: ({ query }, state) => {
          const [, of = '', key = ''] = /FROM (\w+) WHERE .*AnuenteId__c = '(.*)' LIMIT 1$/.exec(query['q'] ?? '') ?? []
          const value = key.replace(/\\(.)/g, '$1')
          const found = of === 'Contact' ? state.contacts.has(value) : state.members.has(value)
          const Id = idOf(of === 'Contact' ? '003' : '00v', value)
          return { status: 200, body: { totalSize: found ? 1 : 0, done: true, records: found ? [{ Id }] : [] } }
        },
      },
      {
        method: 'POST',
        path: /\/sobjects\/Task$/,
        answer: ({ body }, state) => {
          state.tasks.push(fieldsOf(body))
          return { status: 201, body: { id: '00T000000000001', success: true } }
        },
      },
      ...(['GET', 'PATCH', 'DELETE'] as const).map((method) => ({
        method,
        path: /\/sobjects\/(Contact|CampaignMember)\/(\w{15,18})$/,
        answer: ({ body }: { body: unknown }, state: SalesforceState, kind = '', id = ''): SandboxAnswer => {
          if (kind === 'CampaignMember') {
            for (const key of state.members) if (idOf('00v', key) === id) state.members.delete(key)
            return { status: 204 }
          }
          const [key, contact] = [...state.contacts].find(([, { Id }]) => Id === id) ?? []
          if (key === undefined || !contact)
            return failure(404, 'NOT_FOUND', 'Provided external ID field does not exist')
          if (method === 'GET') return { status: 200, body: contact }
          if (method === 'DELETE') state.contacts.delete(key)
          else Object.assign(contact, fieldsOf(body))
          return { status: 204 }
        },
      })),
    ],
  }),
})
