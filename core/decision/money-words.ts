/** @param cents hundredths of the currency unit. Without a symbol: 1234 is 12,34 in Portuguese and 12.34 in English. */
export function moneyWords(cents: number, language: 'pt' | 'en'): string {
  const money = (cents / 100).toFixed(2)
  return language === 'pt' ? money.replace('.', ',') : money
}

/** 0.85 is 0,85 in Portuguese. */
export const numberWords = (value: number, language: 'pt' | 'en'): string =>
  language === 'pt' ? String(value).replace('.', ',') : String(value)
