/** How Meta normalises before hashing: https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters */

/** Lower case without punctuation; letters of every language stay, in NFC so that one name has one hash. */
export const nameOf = (value: string): string =>
  value
    .normalize('NFC')
    .toLowerCase()
    .replace(/[\p{P}\p{S}]/gu, '')
    .replace(/\s+/g, ' ')
    .trim()
