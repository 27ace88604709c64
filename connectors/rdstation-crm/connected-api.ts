/**
 * API v2 of a connected account: https://developers.rdstation.com/reference/crm-v2-introducao. Bodies are {data}. A deal
 * names its contacts by id, and a delivery makes one write: a deal waits for its contact.
 */
import { known } from '../../core/kit/index.ts'
import { type Contact, type CrmApi, idOfContact } from './api.ts'

const data = (fields: object) => ({ json: { data: fields } })

const bodyOf = ({ title, birthday, ...contact }: Contact) =>
  known({ ...contact, job_title: title, birthday: birthday?.slice(0, 10) })

/** Long enough for the contact's own delivery to have been taken. */
const WAIT_MS = 60_000

export const connected: CrmApi = {
  // https://developers.rdstation.com/reference/rdql: filters are field:value.
  search: (http, _settings, email) => http.lookup(`/contacts?${new URLSearchParams({ filter: `email:${email}` })}`),

  async findContact(http, settings, email) {
    const { json } = await connected.search(http, settings, email)
    return idOfContact((json as { data?: unknown } | undefined)?.data, email)
  },

  createContact: (http, _settings, contact) => http.request('POST', '/contacts', data(bodyOf(contact))),

  updateContact: (http, _settings, id, contact) => http.request('PUT', `/contacts/${id}`, data(bodyOf(contact))),

  async createDeal(http, settings, { name, rating, stageId, email }) {
    const contact = await connected.findContact(http, settings, email)
    if (contact === undefined)
      return {
        status: 'retry',
        reason: 'the contact is not in the CRM yet; upsertContact makes it',
        retryAfterMs: WAIT_MS,
      }
    return http.request(
      'POST',
      '/deals',
      data(
        known({
          name,
          rating,
          stage_id: stageId,
          owner_id: settings.ownerId,
          source_id: settings.sourceId,
          campaign_id: settings.campaignId,
          contact_ids: [contact],
        }),
      ),
    )
  },

  updateDeal: (http, _settings, id, { win, lostReasonId, stageId }) =>
    http.request(
      'PUT',
      `/deals/${id}`,
      data(
        known({
          status: win === undefined ? undefined : win ? 'won' : 'lost',
          lost_reason_id: lostReasonId,
          stage_id: stageId,
        }),
      ),
    ),

  createTask: (http, settings, { dealId, subject, kind, date, note }) =>
    http.request(
      'POST',
      '/tasks',
      data(
        known({
          deal_id: dealId,
          name: subject,
          type: kind,
          due_date: date,
          description: note,
          owner_ids: settings.ownerId === undefined ? undefined : [settings.ownerId],
        }),
      ),
    ),

  check: (http) => http.lookup('/users?page[size]=1'),
}
