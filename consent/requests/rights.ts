/** The rights of a data subject: article, words, what identity check they need, what an officer sees first. */
import type { Assurance, RefusalGround, Right } from '../../schemas/requests.ts'

interface Words {
  readonly pt: string
  readonly en: string
}

export interface RightRules {
  /** Of Lei 13.709/2018 (LGPD). */
  readonly article: string
  readonly title: Words
  /** What the person is told they ask for. */
  readonly means: Words
  /** Our own choice, no statute: the least identity check before anything personal is told or changed. */
  readonly assurance: Assurance
  /** statute: art. 19 II. own: no statute sets a deadline, so it is a promise of ours and labelled so. */
  readonly clocks: readonly ('immediate' | 'complete' | 'own')[]
  /** An officer looks at the plan before it is carried out. `always`: no configuration can switch that off. */
  readonly approval: 'always' | 'default' | 'none'
  /** What recipients of the data are asked to do (art. 18 §6). */
  readonly recipients?: 'delete' | 'export' | 'correct'
}

export const RIGHT_RULES: Readonly<Record<Right, RightRules>> = {
  confirmation: {
    article: 'art. 18 I',
    title: { pt: 'Confirmar se vocês tratam meus dados', en: 'Confirm whether you process my data' },
    means: {
      pt: 'Resposta imediata: sim ou não, quais categorias, de onde vieram, para quê e com quem foram compartilhadas.',
      en: 'Answered at once: yes or no, which categories, where from, what for and whom they were shared with.',
    },
    assurance: 'contact_code',
    clocks: ['immediate'],
    approval: 'none',
  },
  access: {
    article: 'art. 18 II',
    title: { pt: 'Acessar meus dados', en: 'Access my data' },
    means: {
      pt: 'Cópia completa: cada dado com sua origem, os critérios, as finalidades, as decisões e com quem foi compartilhado.',
      en: 'A full copy: each piece with its origin, the criteria, the purposes, the decisions and whom it was shared with.',
    },
    assurance: 'contact_code',
    clocks: ['immediate', 'complete'],
    approval: 'default',
    recipients: 'export',
  },
  correction: {
    article: 'art. 18 III',
    title: { pt: 'Corrigir meus dados', en: 'Correct my data' },
    means: {
      pt: 'Dados incompletos, errados ou desatualizados são corrigidos aqui e em quem os recebeu.',
      en: 'Incomplete, wrong or outdated data are corrected here and with whoever received them.',
    },
    assurance: 'contact_code',
    clocks: ['own'],
    approval: 'default',
    recipients: 'correct',
  },
  restriction: {
    article: 'art. 18 IV',
    title: {
      pt: 'Anonimizar, bloquear ou eliminar dados desnecessários, excessivos ou ilícitos',
      en: 'Anonymise, block or erase unnecessary, excessive or unlawful data',
    },
    means: {
      pt: 'Diga quais dados e por quê. O encarregado responde item por item.',
      en: 'Say which data and why. The data protection officer answers item by item.',
    },
    assurance: 'contact_code',
    clocks: ['own'],
    approval: 'always',
    recipients: 'delete',
  },
  portability: {
    article: 'art. 18 V',
    title: { pt: 'Levar meus dados (portabilidade)', en: 'Take my data along (portability)' },
    means: {
      pt: 'Arquivo em formato aberto (JSON Lines com esquema), sem notas calculadas por nós, que são segredo de negócio.',
      en: 'A file in an open format (JSON Lines with schema), without scores we computed, which are trade secrets.',
    },
    assurance: 'contact_code',
    clocks: ['own'],
    approval: 'default',
    recipients: 'export',
  },
  erasure: {
    article: 'art. 18 VI',
    title: { pt: 'Eliminar meus dados', en: 'Erase my data' },
    means: {
      pt: 'Eliminamos o que foi tratado com o seu consentimento, aqui e em quem recebeu. A resposta diz, item por item, o que foi eliminado e o que a lei manda guardar (art. 16).',
      en: 'We erase what was processed with your consent, here and with whoever received it. The answer says, item by item, what was erased and what the law has us keep (art. 16).',
    },
    assurance: 'contact_code',
    clocks: ['own'],
    approval: 'always',
    recipients: 'delete',
  },
  sharing: {
    article: 'art. 18 VII',
    title: { pt: 'Saber com quem meus dados foram compartilhados', en: 'Know whom my data were shared with' },
    means: {
      pt: 'Lista de quem recebeu dados seus, quando pela primeira e pela última vez, e para quê.',
      en: 'A list of who received data of yours, when first and last, and what for.',
    },
    assurance: 'contact_code',
    clocks: ['complete'],
    approval: 'none',
  },
  consent_information: {
    article: 'art. 18 VIII',
    title: {
      pt: 'Saber o que acontece se eu não consentir',
      en: 'Know what happens if I do not consent',
    },
    means: {
      pt: 'Para cada finalidade: que você pode negar, e o que muda se negar.',
      en: 'For each purpose: that you may refuse, and what changes if you do.',
    },
    assurance: 'none',
    clocks: ['immediate'],
    approval: 'none',
  },
  revocation: {
    article: 'art. 18 IX',
    title: { pt: 'Revogar meu consentimento', en: 'Revoke my consent' },
    means: {
      pt: 'Vale a partir da confirmação, é de graça e não apaga o que foi feito antes (art. 8º, §5º).',
      en: 'Holds from the confirmation on, is free and does not undo what was done before (art. 8 §5).',
    },
    assurance: 'contact_code',
    clocks: ['immediate'],
    approval: 'none',
  },
  opposition: {
    article: 'art. 18 §2',
    title: { pt: 'Me opor ao uso dos meus dados sem consentimento', en: 'Object to use of my data without consent' },
    means: {
      pt: 'O uso baseado em interesse legítimo para a finalidade indicada para agora.',
      en: 'Use that rests on legitimate interest for the purpose you name stops now.',
    },
    assurance: 'contact_code',
    clocks: ['immediate'],
    approval: 'none',
  },
  review: {
    article: 'art. 20',
    title: { pt: 'Pedir revisão de uma decisão automatizada', en: 'Ask for review of an automated decision' },
    means: {
      pt: 'Uma pessoa que não escreveu a regra decide de novo e explica os critérios.',
      en: 'Somebody who did not write the rule decides again and explains the criteria.',
    },
    assurance: 'contact_code',
    clocks: ['own'],
    approval: 'default',
  },
}

const ORDER: readonly Assurance[] = ['none', 'claimed', 'contact_code', 'session', 'document']
export const isAssured = (right: Right, assurance: Assurance): boolean =>
  ORDER.indexOf(assurance) >= ORDER.indexOf(RIGHT_RULES[right].assurance)

export const GROUND_RULES: Readonly<Record<RefusalGround, { readonly article: string; readonly title: Words }>> = {
  not_agent: {
    article: 'art. 18 §4 I',
    title: { pt: 'Não somos nós que tratamos estes dados', en: 'We are not who processes these data' },
  },
  identity_not_proven: {
    article: 'art. 18 §4 II',
    title: { pt: 'A identidade não foi comprovada', en: 'The identity was not proven' },
  },
  not_the_subject: {
    article: 'art. 18 §3',
    title: {
      pt: 'Quem pede não é o titular nem o representa',
      en: 'Who asks is neither the data subject nor their representative',
    },
  },
  legal_obligation: {
    article: 'art. 16 I',
    title: { pt: 'A lei nos obriga a guardar', en: 'The law has us keep it' },
  },
  legal_claims: {
    article: 'art. 7 VI, art. 16 I',
    title: { pt: 'Necessário em processo', en: 'Needed in proceedings' },
  },
  fact_or_law: {
    article: 'art. 18 §4 II',
    title: { pt: 'Razões de fato ou de direito', en: 'Reasons of fact or of law' },
  },
  trade_secret: {
    article: 'art. 19 II, art. 20 §1',
    title: { pt: 'Segredo comercial e industrial', en: 'Trade and industrial secret' },
  },
}

export const AUTHORITY_TITLE: Words = { pt: 'Requisição da ANPD', en: 'Inquiry of the authority (ANPD)' }
/** Powers of the authority to ask for information. */
export const AUTHORITY_ARTICLE = 'art. 55-J'
