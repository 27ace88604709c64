/**
 * IAB TCF strings (2.x; version 1 is recognised) as evidence. In Brazil they decide nothing: the framework's
 * purposes and its legitimate interest are European, so a string is read, shown and kept, and grants no purpose.
 */
import { TCString } from '@iabtechlabtcf/core'

export interface TcfFacts {
  readonly version: number
  readonly cmpId: number
  /** The rest only of version 2. ISO 8601. */
  readonly created?: string
  readonly lastUpdated?: string
  readonly cmpVersion?: number
  readonly consentScreen?: number
  readonly consentLanguage?: string
  readonly vendorListVersion?: number
  readonly policyVersion?: number
  readonly isServiceSpecific?: boolean
  readonly publisherCountryCode?: string
  readonly specialFeatureOptins?: readonly number[]
  readonly purposeConsents?: readonly number[]
  readonly purposeLegitimateInterests?: readonly number[]
  readonly vendorConsents?: readonly number[]
  readonly vendorLegitimateInterests?: readonly number[]
  readonly vendorsDisclosed?: readonly number[]
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const MAX_LENGTH = 8192

/** @returns undefined when it is no TC string. */
export function readTcf(text: string): TcfFacts | undefined {
  if (text.length > MAX_LENGTH || !/^[A-Za-z0-9_-]{20,}(\.[A-Za-z0-9_-]+)*$/.test(text)) return undefined
  // The first six bits are the version. Version 1 has the id of the CMP at the same place: bit 78, twelve long.
  if (BASE64.indexOf(text[0]!) === 1) return { version: 1, cmpId: bits(text, 78, 12) }
  try {
    const model = TCString.decode(text)
    const ids = (vector: { readonly maxId: number; has(id: number): boolean }) => {
      const found: number[] = []
      for (let id = 1; id <= vector.maxId; id++) if (vector.has(id)) found.push(id)
      return found
    }
    return {
      version: Number(model.version),
      cmpId: Number(model.cmpId),
      created: model.created.toISOString(),
      lastUpdated: model.lastUpdated.toISOString(),
      cmpVersion: Number(model.cmpVersion),
      consentScreen: Number(model.consentScreen),
      consentLanguage: model.consentLanguage,
      vendorListVersion: Number(model.vendorListVersion),
      policyVersion: Number(model.policyVersion),
      isServiceSpecific: model.isServiceSpecific,
      publisherCountryCode: model.publisherCountryCode,
      specialFeatureOptins: ids(model.specialFeatureOptins),
      purposeConsents: ids(model.purposeConsents),
      purposeLegitimateInterests: ids(model.purposeLegitimateInterests),
      vendorConsents: ids(model.vendorConsents),
      vendorLegitimateInterests: ids(model.vendorLegitimateInterests),
      vendorsDisclosed: ids(model.vendorsDisclosed),
    }
  } catch {
    return undefined
  }
}

function bits(text: string, from: number, length: number): number {
  let value = 0
  for (let bit = from; bit < from + length; bit++) {
    const six = BASE64.indexOf(text[Math.floor(bit / 6)] ?? 'A')
    value = value * 2 + ((six >> (5 - (bit % 6))) & 1)
  }
  return value
}

/** Form of an IAB GPP string (`DB…~…`): kept as received. It has no section for Brazil. */
export const isGpp = (text: string): boolean =>
  text.length <= MAX_LENGTH && /^D[A-Za-z0-9_-]{3,}(~[A-Za-z0-9._-]+)*$/.test(text)
