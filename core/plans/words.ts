/** A violation as a sentence. What was sent is never part of it. */
import type { Violation } from '../../schemas/plan.ts'

export function violationSentence({ kind, path, expected, got }: Violation): {
  readonly pt: string
  readonly en: string
} {
  const where = path === '' ? '' : `${path}: `
  switch (kind) {
    case 'unplanned':
      return { pt: 'o plano não prevê este evento', en: 'the plan does not name this event' }
    case 'missing':
      return {
        pt: `${where}falta${expected ? ` (${expected})` : ''}`,
        en: `${where}is missing${expected ? ` (${expected})` : ''}`,
      }
    case 'type':
      return {
        pt: `${where}deveria ser ${expected}${got ? `, veio ${got}` : ''}`,
        en: `${where}should be ${expected}${got ? `, came as ${got}` : ''}`,
      }
    case 'enum':
      return { pt: `${where}deveria ser um destes: ${expected}`, en: `${where}should be one of: ${expected}` }
    case 'pattern':
      return { pt: `${where}não segue ${expected}`, en: `${where}does not follow ${expected}` }
    case 'format':
      return { pt: `${where}deveria ser ${expected}`, en: `${where}should be ${expected}` }
    case 'range':
      return { pt: `${where}deveria ser ${expected}`, en: `${where}should be ${expected}` }
    case 'length':
      return { pt: `${where}tamanho deveria ser ${expected}`, en: `${where}length should be ${expected}` }
    case 'unknown_property':
      return { pt: `${where}o plano não prevê este campo`, en: `${where}the plan does not name this field` }
    case 'shape':
      return {
        pt: `${where}não tem a forma prevista (${expected})`,
        en: `${where}has not the planned shape (${expected})`,
      }
  }
}
