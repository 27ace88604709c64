/** Amounts as sources write them become integer minor units. */

const digits = new Map<string, number>()

/** @returns decimals of an ISO 4217 currency (2 for BRL, 0 for JPY); 2 for what is not a currency. */
function decimalsOf(currency: string): number {
  let known = digits.get(currency)
  if (known === undefined) {
    try {
      known = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
    } catch {
      known = 2
    }
    digits.set(currency, known)
  }
  return known
}

/** @returns minor units, or undefined when the value is no finite number ("219.90" and "219,90" are). */
export function minorUnits(value: unknown, currency: string): number | undefined {
  const number = asNumber(value)
  if (number === undefined) return undefined
  const minor = Math.round(number * 10 ** decimalsOf(currency))
  return Number.isSafeInteger(minor) ? minor : undefined
}

export function asNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  // Brazilian notation: 1.219,90
  if (/^-?\d{1,3}(\.\d{3})*,\d+$|^-?\d+,\d+$/.test(text)) return Number(text.replaceAll('.', '').replace(',', '.'))
  return undefined
}
