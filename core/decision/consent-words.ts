/**
 * Why a purpose is not permitted, in words that go on after "a finalidade X não está autorizada: " and the like. By the
 * words of the policy table, those of a status without their `consent_`.
 */
import type { Status } from '../../schemas/consent.ts'
import type { ConsentAnswer } from './decision.ts'

type Words = { readonly pt: string; readonly en: string }

export const STATUS_WORDS: Readonly<Record<Status, Words>> = {
  unknown: { pt: 'ninguém respondeu sobre ela', en: 'nobody has answered about it' },
  granted: { pt: 'ela está autorizada agora', en: 'it is granted now' },
  denied: { pt: 'ela foi negada', en: 'it was denied' },
  revoked: { pt: 'a autorização foi retirada', en: 'the permission was withdrawn' },
  expired: { pt: 'ela expirou', en: 'it has expired' },
  stale: { pt: 'o aviso mudou desde a resposta', en: 'the notice has changed since the answer' },
  conflict: { pt: 'há respostas em conflito', en: 'there are conflicting answers' },
  invalid: { pt: 'a evidência da resposta não vale', en: 'the evidence of the answer is worthless' },
}

const POLICY_WORDS: Readonly<Record<string, Words>> = {
  ...STATUS_WORDS,
  objected: { pt: 'a pessoa se opôs (art. 18, § 2º)', en: 'the person has objected (art. 18 §2)' },
  no_balancing_test: { pt: 'falta o teste de balanceamento (art. 10)', en: 'its balancing test is missing (art. 10)' },
  contract_not_open: { pt: 'não há contrato em aberto (art. 7º, V)', en: 'no contract is open (art. 7 V)' },
  ground_undeclared: { pt: 'a base legal não foi declarada', en: 'its legal basis was not declared' },
  undeclared_stage: { pt: 'ela não foi declarada para este uso', en: 'it was not declared for this use' },
  sensitive: {
    pt: 'usa dados sensíveis sem base para isso (art. 11)',
    en: 'it uses sensitive data without a ground (art. 11)',
  },
  minor_ads: { pt: 'publicidade não alcança menores', en: 'advertising must not reach minors' },
  guardian_missing: {
    pt: 'falta a autorização de um responsável (art. 14)',
    en: 'a guardian has not agreed (art. 14)',
  },
  purpose_changed: {
    pt: 'a finalidade mudou desde a resposta (art. 9º, § 2º)',
    en: 'it has changed since the answer (art. 9 §2)',
  },
  suppressed: { pt: 'a pessoa pediu para ser esquecida', en: 'the person asked to be forgotten' },
  undeclared: { pt: 'ela não está na configuração', en: 'the configuration does not have it' },
}

/** @param word value of the clause `unless.purpose`. */
export const refusalWords = (word: string): Words | undefined =>
  Object.hasOwn(POLICY_WORDS, word) ? POLICY_WORDS[word] : undefined

/** What stands as the value of the clause about a purpose. */
export const refusalOf = ({ code, reason }: ConsentAnswer): string | null =>
  reason?.replace(/^consent_/, '') ??
  (code === 'UNDECLARED' ? 'undeclared' : code === 'SUBJECT_SUPPRESSED' ? 'suppressed' : null)
