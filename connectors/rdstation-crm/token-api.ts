/** API v1: https://developers.rdstation.com/reference/crm-v1-introducao. It reads the token from the query alone. */
import { known } from '../../core/kit/index.ts'
import { type Contact, type CrmApi, idOfContact, type Settings } from './api.ts'

const tokenOf = ({ token = '' }: Settings): string => new URLSearchParams({ token }).toString()

function birthdayOf(value: string | undefined) {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})/.exec(value ?? '') ?? []
  return year === undefined ? undefined : { day: Number(day), month: Number(month), year: Number(year) }
}

const bodyOf = ({ birthday, ...contact }: Contact) => known({ ...contact, birthday: birthdayOf(birthday) })

export const byToken: CrmApi = {
  search: (http, { token = '' }, email) => http.lookup(`/contacts?${new URLSearchParams({ token, email })}`),

  async findContact(http, settings, email) {
    const { json } = await byToken.search(http, settings, email)
    return idOfContact((json as { contacts?: unknown } | undefined)?.contacts, email)
  },

  createContact: (http, settings, contact) =>
    http.request('POST', `/contacts?${tokenOf(settings)}`, { json: { contact: bodyOf(contact) } }),

  updateContact: (http, settings, id, contact) =>
    http.request('PUT', `/contacts/${id}?${tokenOf(settings)}`, { json: { contact: bodyOf(contact) } }),

  createDeal: (http, settings, { name, rating, stageId, note, contact }) =>
    http.request('POST', `/deals?${tokenOf(settings)}`, {
      json: {
        deal: known({ name, rating, deal_stage_id: stageId, user_id: settings.ownerId, notes: note }),
        contacts: [bodyOf(contact)],
        ...(settings.sourceId !== undefined && { deal_source: { _id: settings.sourceId } }),
        ...(settings.campaignId !== undefined && { campaign: { _id: settings.campaignId } }),
      },
    }),

  updateDeal: (http, settings, id, { win, lostReasonId, stageId }) =>
    http.request('PUT', `/deals/${id}?${tokenOf(settings)}`, {
      json: known({ win, deal_lost_reason_id: lostReasonId, deal_stage_id: stageId }),
    }),

  createTask: (http, settings, { dealId, subject, kind, date, note }) =>
    http.request('POST', `/tasks?${tokenOf(settings)}`, {
      json: {
        task: known({
          deal_id: dealId,
          subject,
          type: kind,
          date: date.slice(0, 10),
          hour: date.slice(11, 16) || undefined,
          notes: note,
          user_ids: settings.ownerId === undefined ? undefined : [settings.ownerId],
        }),
      },
    }),

  // https://developers.rdstation.com/reference/crm-v1-check-token
  check: (http, settings) => http.lookup(`/token/check?${tokenOf(settings)}`),
}
