import type { ConsentEvidence } from './define.ts'

/** Global Privacy Control (https://www.w3.org/TR/gpc/): a browser that says `Sec-GPC: 1` objects to ads and sharing. */
export function gpcEvidence(headers: Readonly<Record<string, string>>): ConsentEvidence | undefined {
  if (headers['sec-gpc']?.trim() !== '1') return undefined
  return {
    vendor: 'gpc',
    answers: { gpc: { answer: 'denied' } },
    method: 'gpc',
    actor: 'browser_signal',
    raw: { 'sec-gpc': '1' },
  }
}
