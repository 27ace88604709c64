/** What the actions ask of the CRM, whichever of its two APIs answers. */
import { type Static, Type } from 'typebox'
import { type Http, type HttpResponse, type Outcome, oauthChoice, oauthFields } from '../../core/kit/index.ts'

export const ID = '^[0-9a-f]{24}$'
export const id = (description: string) => Type.Optional(Type.String({ pattern: ID, description }))

export const Settings = Type.Object(
  {
    token: Type.Optional(
      Type.String({
        secret: true,
        minLength: 8,
        description: 'API v1: Profile > Integrations > Token of the CRM. Absent: a connected account, by API v2.',
      }),
    ),
    ...oauthFields,
    stageId: id('Stage in which new deals begin; the first of the default funnel when absent.'),
    ownerId: id('User who gets new deals and tasks; distributed by the CRM when absent.'),
    sourceId: id('Source of new deals.'),
    campaignId: id('Campaign of new deals.'),
  },
  { additionalProperties: false, ...oauthChoice('token') },
)
export type Settings = Static<typeof Settings>

/** Fields that stay out are not changed. */
export interface Contact {
  readonly name?: string | undefined
  readonly emails?: readonly { readonly email: string }[] | undefined
  readonly phones?: readonly { readonly phone: string; readonly type: string }[] | undefined
  readonly title?: string | undefined
  /** YYYY-MM-DD first. */
  readonly birthday?: string | undefined
  readonly legal_bases?: readonly object[] | undefined
}

export interface Deal {
  readonly name: string
  readonly rating?: number | undefined
  readonly stageId?: string | undefined
  readonly note?: string | undefined
  readonly contact: Contact
  readonly email: string
}

export interface DealChange {
  readonly win?: boolean | undefined
  readonly lostReasonId?: string | undefined
  readonly stageId?: string | undefined
}

export interface Task {
  readonly dealId: string
  readonly subject: string
  readonly kind: string
  /** ISO 8601. */
  readonly date: string
  readonly note?: string | undefined
}

type Answer = Promise<HttpResponse | Outcome>

export interface CrmApi {
  search(http: Http, settings: Settings, email: string): Promise<HttpResponse>
  /** Id of the contact that has exactly this address. */
  findContact(http: Http, settings: Settings, email: string): Promise<string | undefined>
  createContact(http: Http, settings: Settings, contact: Contact): Answer
  updateContact(http: Http, settings: Settings, id: string, contact: Contact): Answer
  createDeal(http: Http, settings: Settings, deal: Deal): Answer
  updateDeal(http: Http, settings: Settings, id: string, change: DealChange): Answer
  createTask(http: Http, settings: Settings, task: Task): Answer
  /** Throws when the credential is refused. */
  check(http: Http, settings: Settings): Promise<unknown>
}

/** Of contacts a search gave: it also finds parts of an address. */
export function idOfContact(contacts: unknown, email: string): string | undefined {
  const found = (
    Array.isArray(contacts) ? (contacts as { id?: unknown; _id?: unknown; emails?: { email?: unknown }[] }[]) : []
  ).find(({ emails }) => emails?.some((one) => String(one.email).toLowerCase() === email))
  const value = found?.id ?? found?._id
  return typeof value === 'string' && new RegExp(ID).test(value) ? value : undefined
}
