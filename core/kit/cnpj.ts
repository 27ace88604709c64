/**
 * Fourteen places with right check digits, letters in the first twelve since July 2026
 * (IN RFB 2.229/2024: a letter counts as its ASCII code less 48).
 *
 * @returns upper case without punctuation, or undefined.
 */
export function normalizeCnpj(value: string): string | undefined {
  const places = value.replace(/[./\-\s]/g, '').toUpperCase()
  if (!/^[0-9A-Z]{12}\d{2}$/.test(places) || /^(.)\1{13}$/.test(places)) return undefined
  const check = (length: number) => {
    let sum = 0
    // Weights 2 to 9 from the right, over and over.
    for (let index = 0; index < length; index++)
      sum += (places.charCodeAt(index) - 48) * (2 + ((length - 1 - index) % 8))
    return sum % 11 < 2 ? 0 : 11 - (sum % 11)
  }
  return check(12) === Number(places[12]) && check(13) === Number(places[13]) ? places : undefined
}
