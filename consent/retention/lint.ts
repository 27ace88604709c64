/** What the encarregado should hear about the periods before anything is erased, or kept. */
import type { Config } from '../../schemas/config.ts'
import { DATA_CLASSES, type RetentionFinding } from '../../schemas/retention.ts'
import { CLASS_RULES } from './classes.ts'
import { EVERY, periodOrder, policyId, type ResolvedPolicy, retentionPolicies } from './policies.ts'

/** The one way of anonymising that is implemented; see core/retention/anonymise.ts. */
export const ANONYMISING = ['aggregate'] as const

const PSEUDONYMS = /hash|sha|md5|hmac|token|pseud|mask|encrypt|cifra|cript|salt|tokeniz/i

export function lintRetention(config: Pick<Config, 'retention' | 'purposes' | 'destinations'>): RetentionFinding[] {
  const policies = retentionPolicies(config)
  const findings = policies.flatMap((policy) => lintPolicy(policy, config))
  findings.push(...lintDuplicates(config))
  for (const kind of DATA_CLASSES) {
    if (policies.some(({ policy }) => policy.class === kind)) continue
    findings.push({
      code: 'CLASS_WITHOUT_POLICY',
      severity: 'error',
      path: '/retention/policies',
      message: {
        pt: `Nenhuma política diz por quanto tempo se guarda: ${CLASS_RULES[kind].title.pt}.`,
        en: `No policy says how long this is kept: ${CLASS_RULES[kind].title.en}.`,
      },
    })
  }
  findings.push(...lintRevoked(policies, config))
  return findings
}

function lintPolicy(resolved: ResolvedPolicy, config: Pick<Config, 'purposes' | 'destinations'>): RetentionFinding[] {
  const { policy, path } = resolved
  const rules = CLASS_RULES[policy.class]
  const found: RetentionFinding[] = []
  const say = (
    code: RetentionFinding['code'],
    at: string,
    pt: string,
    en: string,
    severity: 'error' | 'warning' = 'error',
  ) => found.push({ code, severity, path: `${path}${at}`, message: { pt, en } })

  if (!rules.triggers.includes(policy.trigger))
    say(
      'TRIGGER_NOT_POSSIBLE',
      '/trigger',
      `O prazo de "${policy.class}" conta a partir de: ${rules.triggers.join(', ')}.`,
      `The clock of "${policy.class}" can start at: ${rules.triggers.join(', ')}.`,
    )
  if (!rules.actions.includes(policy.action))
    say(
      'ACTION_NOT_POSSIBLE',
      '/action',
      `"${policy.class}" só pode: ${rules.actions.join(', ')}.`,
      `"${policy.class}" can only: ${rules.actions.join(', ')}.`,
    )
  if (rules.minimum && periodOrder(policy.period, rules.minimum.period) < 0)
    say(
      'UNDER_LEGAL_MINIMUM',
      '/period',
      `${policy.period} é menos que o mínimo legal de ${rules.minimum.period} (${rules.minimum.ground}).`,
      `${policy.period} is under the legal minimum of ${rules.minimum.period} (${rules.minimum.ground}).`,
    )
  if (policy.purpose !== undefined) {
    const shares = policy.purpose.startsWith('share.') && config.destinations?.[policy.purpose.slice(6)] !== undefined
    if (!Object.hasOwn(config.purposes, policy.purpose) && !shares)
      say(
        'UNKNOWN_PURPOSE',
        '/purpose',
        `Não há finalidade "${policy.purpose}".`,
        `No purpose is called "${policy.purpose}".`,
      )
    else if (!rules.byPurpose)
      say(
        'UNKNOWN_PURPOSE',
        '/purpose',
        `"${policy.class}" não se divide por finalidade: retire "purpose".`,
        `"${policy.class}" is not kept by purpose: remove "purpose".`,
      )
  }
  if (policy.action === 'anonymise') found.push(...lintMethod(resolved))
  if (policy.ground !== 'processing' && policy.reason === undefined)
    say(
      'GROUND_WITHOUT_REASON',
      '/reason',
      `Guardar com base no art. ${policy.ground} pede um motivo escrito: acrescente "reason".`,
      `Keeping on art. ${policy.ground} needs a written reason: add "reason".`,
      'warning',
    )
  return found
}

/** LGPD art. 5 XI, art. 12 and art. 13 §4: what can be led back to a person with something that is kept is not anonymous. */
function lintMethod({ policy, path }: ResolvedPolicy): RetentionFinding[] {
  const method = policy.anonymise?.method
  if (method !== undefined && (ANONYMISING as readonly string[]).includes(method)) return []
  if (method !== undefined && PSEUDONYMS.test(method))
    return [
      {
        code: 'NOT_ANONYMOUS',
        severity: 'error',
        path: `${path}/anonymise/method`,
        message: {
          pt: `"${method}" não anonimiza: um hash, um token ou uma cifra é pseudônimo, e o dado continua pessoal (LGPD art. 12 e art. 13 §4). Use aggregate, ou action: erase.`,
          en: `"${method}" does not anonymise: a hash, a token or a cipher is a pseudonym, and the data stay personal (LGPD art. 12 and art. 13 §4). Use aggregate, or action: erase.`,
        },
      },
    ]
  return [
    {
      code: 'UNKNOWN_METHOD',
      severity: 'error',
      path: `${path}/anonymise`,
      message: {
        pt: `Anonimizar precisa dizer o método e o k: anonymise: {method: ${ANONYMISING.join(' | ')}, k: 10}.`,
        en: `Anonymising has to state method and k: anonymise: {method: ${ANONYMISING.join(' | ')}, k: 10}.`,
      },
    },
  ]
}

function lintDuplicates(config: Pick<Config, 'retention'>): RetentionFinding[] {
  const seen = new Set<string>()
  return (config.retention?.policies ?? []).flatMap((policy, index) => {
    const id = policyId(policy)
    if (!seen.has(id)) {
      seen.add(id)
      return []
    }
    return [
      {
        code: 'DUPLICATE' as const,
        severity: 'error' as const,
        path: `/retention/policies/${index}`,
        message: { pt: `${id} aparece duas vezes.`, en: `${id} is said twice.` },
      },
    ]
  })
}

/** LGPD art. 15 III and 16: processing ends with the revocation; keeping on needs a ground of art. 16. */
function lintRevoked(policies: readonly ResolvedPolicy[], config: Pick<Config, 'purposes'>): RetentionFinding[] {
  const found: RetentionFinding[] = []
  for (const [purpose, { basis }] of Object.entries(config.purposes)) {
    if (basis !== 'consent') continue
    for (const kind of ['history', 'profile'] as const) {
      const of = (trigger: string) =>
        policies.find(
          (entry) =>
            entry.policy.class === kind && entry.policy.trigger === trigger && entry.policy.purpose === purpose,
        ) ??
        policies.find(
          (entry) =>
            entry.policy.class === kind &&
            entry.policy.trigger === trigger &&
            (entry.policy.purpose ?? EVERY) === EVERY,
        )
      const ended = of('ended')
      const lapses = of('occurred') ?? of('last_seen')
      const late = ended && lapses && periodOrder(ended.policy.period, lapses.policy.period) >= 0
      if (ended && !late) continue
      if (ended?.policy.ground.startsWith('16.')) continue
      found.push({
        code: 'KEPT_AFTER_REVOCATION',
        severity: 'error',
        path: ended?.path ?? '/retention/policies',
        message: {
          pt: `"${purpose}" repousa em consentimento, e nada elimina ${CLASS_RULES[kind].title.pt.toLowerCase()} depois da revogação (LGPD art. 15 III e 16). Acrescente {class: ${kind}, trigger: ended, …} com um prazo curto, ou um fundamento do art. 16.`,
          en: `"${purpose}" rests on consent, and nothing erases ${CLASS_RULES[kind].title.en.toLowerCase()} after it is revoked (LGPD art. 15 III and 16). Add {class: ${kind}, trigger: ended, …} with a short period, or a ground of art. 16.`,
        },
      })
    }
  }
  return found
}
