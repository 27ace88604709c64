/** What a policy may say about each kind of data, and the least a statute has it kept. */
import type { DataClass, RetentionAction, RetentionTrigger } from '../../schemas/retention.ts'

export interface ClassRules {
  readonly title: { readonly pt: string; readonly en: string }
  readonly triggers: readonly RetentionTrigger[]
  readonly actions: readonly RetentionAction[]
  /** Purposes make a difference to its rows. */
  readonly byPurpose: boolean
  /** Never shorter than this, with the source. */
  readonly minimum?: { readonly period: string; readonly ground: string }
}

export const CLASS_RULES: Readonly<Record<DataClass, ClassRules>> = {
  history: {
    title: { pt: 'Eventos mantidos', en: 'Kept events' },
    triggers: ['occurred', 'ended'],
    actions: ['erase', 'anonymise', 'block'],
    byPurpose: true,
  },
  unidentified: {
    title: { pt: 'Dispositivos que ninguém identificou', en: 'Devices nobody was identified on' },
    triggers: ['last_seen'],
    actions: ['erase'],
    byPurpose: false,
  },
  profile: {
    title: {
      pt: 'Perfis: características, contadores, carrinho, contatos',
      en: 'Profiles: traits, counters, cart, contacts',
    },
    triggers: ['ended', 'last_seen'],
    actions: ['erase'],
    byPurpose: true,
  },
  facts: {
    title: { pt: 'Pedidos contados uma vez', en: 'Orders counted once' },
    triggers: ['occurred'],
    actions: ['erase'],
    byPurpose: false,
  },
  deliveries: {
    title: {
      pt: 'Entregas encerradas, com conteúdo e tentativas',
      en: 'Settled deliveries, with payload and attempts',
    },
    triggers: ['settled'],
    actions: ['erase'],
    byPurpose: false,
  },
  decisions: {
    title: { pt: 'Registros de decisões', en: 'Decision records' },
    triggers: ['decided'],
    actions: ['erase'],
    byPurpose: false,
  },
  access_log: {
    title: { pt: 'Registro de acessos', en: 'Access log' },
    triggers: ['occurred'],
    actions: ['erase'],
    byPurpose: false,
    // A minimum, kept secret: erasing earlier breaks it.
    minimum: { period: 'P6M', ground: 'Marco Civil da Internet (Lei 12.965/2014) art. 15' },
  },
  consent_proof: {
    title: {
      pt: 'Provas de consentimento, depois da eliminação dos dados',
      en: 'Proofs of consent, after the data were erased',
    },
    triggers: ['erased'],
    actions: ['erase'],
    byPurpose: false,
  },
  blocked: {
    title: { pt: 'Dados bloqueados', en: 'Blocked data' },
    triggers: ['blocked'],
    actions: ['erase'],
    byPurpose: false,
  },
  incidents: {
    title: { pt: 'Registro de incidentes', en: 'Incident register' },
    triggers: ['registered'],
    actions: ['erase'],
    byPurpose: false,
    minimum: { period: 'P5Y', ground: 'Res. CD/ANPD 15/2024 art. 10' },
  },
  requests: {
    title: { pt: 'Pedidos de titulares', en: 'Data-subject requests' },
    triggers: ['answered'],
    actions: ['erase'],
    byPurpose: false,
  },
  audiences: {
    title: { pt: 'Participação em públicos', en: 'Audience membership' },
    triggers: ['exit'],
    actions: ['erase'],
    byPurpose: false,
  },
}
