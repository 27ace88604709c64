/**
 * Every exit an event or a delivery can take, with the stage that takes it and what to do about it.
 * One table: the README diagram, docs/reference/exits.md, the cockpit and `anuente explain` read it,
 * and a test fails when they disagree.
 */
export const STAGE_NAMES = [
  'verify',
  'normalize',
  'record',
  'deduplicate',
  'identify',
  'consent',
  'collect',
  'apply',
  'decide',
  'enqueue',
  'lease',
  'permit',
  'map',
  'send',
  'settle',
] as const
export type StageName = (typeof STAGE_NAMES)[number]

/** What the pipeline strip counts an exit as. */
export type ExitGroup = 'refused' | 'quarantined' | 'duplicate' | 'consent' | 'experiment' | 'rule' | 'failed' | 'done'

export interface Exit {
  readonly stage: StageName
  readonly group: ExitGroup
  readonly en: string
  readonly pt: string
}

export const EXITS = {
  // verify: refused at the door
  UNKNOWN_KEY: {
    stage: 'verify',
    group: 'refused',
    en: 'No source has this write key or secret. Check the key in the SDK against anuente.yaml.',
    pt: 'Nenhuma fonte tem esta chave. Confira a chave no SDK e no anuente.yaml.',
  },
  BAD_SIGNATURE: {
    stage: 'verify',
    group: 'refused',
    en: 'The signature or secret does not match this source.',
    pt: 'A assinatura ou o segredo não confere com esta fonte.',
  },
  NOT_FOUND: {
    stage: 'verify',
    group: 'refused',
    en: 'No source answers at this address.',
    pt: 'Nenhuma fonte responde neste endereço.',
  },
  MALFORMED_JSON: {
    stage: 'verify',
    group: 'refused',
    en: 'The body is not valid JSON.',
    pt: 'O corpo não é um JSON válido.',
  },
  BODY_TOO_LARGE: {
    stage: 'verify',
    group: 'refused',
    en: 'The request is larger than this source accepts. Send smaller batches.',
    pt: 'A requisição é maior do que esta fonte aceita. Envie lotes menores.',
  },
  OVERLOADED: {
    stage: 'verify',
    group: 'refused',
    en: 'The hub is behind; send again after Retry-After.',
    pt: 'O hub está atrasado; reenvie depois de Retry-After.',
  },
  // normalize: kept in quarantine
  EVENT_TOO_LARGE: {
    stage: 'normalize',
    group: 'quarantined',
    en: 'One event is larger than 32 KB.',
    pt: 'Um evento passa de 32 KB.',
  },
  INVALID: {
    stage: 'normalize',
    group: 'quarantined',
    en: 'The event does not have the shape of its kind.',
    pt: 'O evento não tem a forma do seu tipo.',
  },
  NO_IDENTIFIER: {
    stage: 'normalize',
    group: 'quarantined',
    en: 'The event names nobody: it needs a userId, an anonymousId or another identifier.',
    pt: 'O evento não identifica ninguém: precisa de userId, anonymousId ou outro identificador.',
  },
  UNKNOWN_CALL: {
    stage: 'normalize',
    group: 'quarantined',
    en: 'The call type is none of identify, track, page, screen, group, alias.',
    pt: 'O tipo de chamada não é identify, track, page, screen, group ou alias.',
  },
  HOSTILE_KEY: {
    stage: 'normalize',
    group: 'quarantined',
    en: 'The event carries a key such as __proto__ that no honest client sends.',
    pt: 'O evento traz uma chave como __proto__, que nenhum cliente honesto envia.',
  },
  TOO_DEEP: {
    stage: 'normalize',
    group: 'quarantined',
    en: 'The event is nested deeper than 32 levels.',
    pt: 'O evento tem mais de 32 níveis.',
  },
  BAD_TIMESTAMP: {
    stage: 'normalize',
    group: 'quarantined',
    en: 'The timestamp is not a date between 2000 and one day from now.',
    pt: 'A data não está entre 2000 e um dia à frente de agora.',
  },
  PLAN_VIOLATION: {
    stage: 'normalize',
    group: 'quarantined',
    en: 'The event breaks the tracking plan of its source. Fix it and re-drive it, or correct the plan.',
    pt: 'O evento não segue o plano de rastreamento da fonte. Corrija e reenvie, ou corrija o plano.',
  },
  PLAN_BLOCKED: {
    stage: 'normalize',
    group: 'refused',
    en: 'The tracking plan of its source blocks this event. What it says about consent counts all the same.',
    pt: 'O plano de rastreamento da fonte bloqueia este evento. O que ele diz sobre consentimento vale mesmo assim.',
  },
  // deduplicate
  DUPLICATE: {
    stage: 'deduplicate',
    group: 'duplicate',
    en: 'The source already sent this message.',
    pt: 'A fonte já enviou esta mensagem.',
  },
  ID_REUSED: {
    stage: 'deduplicate',
    group: 'quarantined',
    en: 'The same message id came with another body.',
    pt: 'O mesmo id de mensagem veio com outro conteúdo.',
  },
  ECHO: {
    stage: 'deduplicate',
    group: 'duplicate',
    en: 'The hub itself caused this event.',
    pt: 'O próprio hub causou este evento.',
  },
  POISON: {
    stage: 'deduplicate',
    group: 'quarantined',
    en: 'Processing this event failed repeatedly; it was set aside and can be re-driven.',
    pt: 'O processamento deste evento falhou várias vezes; ele foi separado e pode ser reenviado.',
  },
  // collect
  HELD: {
    stage: 'collect',
    group: 'consent',
    en: 'No answer about consent yet; sealed for at most 24 hours.',
    pt: 'Ainda sem resposta de consentimento; lacrado por até 24 horas.',
  },
  NO_PURPOSE: {
    stage: 'collect',
    group: 'consent',
    en: 'No declared purpose needs this event.',
    pt: 'Nenhuma finalidade declarada precisa deste evento.',
  },
  CONSENT_DENIED: {
    stage: 'collect',
    group: 'consent',
    en: 'Consent was refused or withdrawn for every purpose that wants this event.',
    pt: 'O consentimento foi negado ou revogado para todas as finalidades que querem este evento.',
  },
  SUBJECT_SUPPRESSED: {
    stage: 'collect',
    group: 'consent',
    en: 'This person asked to be forgotten.',
    pt: 'Esta pessoa pediu para ser esquecida.',
  },
  KEPT: {
    stage: 'apply',
    group: 'done',
    en: 'Kept in the history of this person.',
    pt: 'Guardado no histórico desta pessoa.',
  },
  // decide
  NOT_MATCHED: {
    stage: 'decide',
    group: 'rule',
    en: 'The rule was tried and a condition did not hold.',
    pt: 'A regra foi avaliada e uma condição não valeu.',
  },
  NO_CONSENT: {
    stage: 'decide',
    group: 'consent',
    en: 'The rule matched but the purpose of its action is not granted.',
    pt: 'A regra valeu, mas a finalidade da ação não está autorizada.',
  },
  NOT_REACHABLE: {
    stage: 'decide',
    group: 'rule',
    en: 'The person has no identifier the action needs.',
    pt: 'A pessoa não tem o identificador que a ação exige.',
  },
  CAPPED: {
    stage: 'decide',
    group: 'rule',
    en: 'The person already received as much as the rule allows.',
    pt: 'A pessoa já recebeu o máximo que a regra permite.',
  },
  REENTRY: {
    stage: 'decide',
    group: 'rule',
    en: 'The person entered this rule too recently or too often.',
    pt: 'A pessoa entrou nesta regra há pouco tempo ou vezes demais.',
  },
  SUPPRESSED: {
    stage: 'decide',
    group: 'rule',
    en: 'The rule writes to nobody who complained, whose message came back, who has an open ticket or is in an audience it names.',
    pt: 'A regra não escreve a quem reclamou, a quem a mensagem voltou, a quem tem atendimento em aberto ou está num público que ela cita.',
  },
  QUIET_HOURS: {
    stage: 'decide',
    group: 'rule',
    en: 'It would have arrived in quiet hours, on a holiday or outside the send windows, and the rule does not hold it.',
    pt: 'Teria chegado no horário de silêncio, num feriado ou fora das janelas de envio, e a regra não espera.',
  },
  NO_OFFER: {
    stage: 'decide',
    group: 'rule',
    en: 'The person may have none of the offers of the rule: not valid now, not for them, had it already, or used up.',
    pt: 'A pessoa não pode ter nenhuma oferta da regra: fora do prazo, não é para ela, já recebeu, ou acabou.',
  },
  EXCLUDED: {
    stage: 'decide',
    group: 'rule',
    en: 'Another message of the same exclusion group went to this person within its window.',
    pt: 'Outra mensagem do mesmo grupo de exclusão foi para esta pessoa dentro do prazo do grupo.',
  },
  BUDGET: {
    stage: 'decide',
    group: 'rule',
    en: 'The budget of the rule is spent for this hour, this day or altogether.',
    pt: 'O orçamento da regra acabou: na hora, no dia ou no total.',
  },
  NOT_PUBLISHED: {
    stage: 'decide',
    group: 'rule',
    en: 'The rule is not published to this person: it is a draft, in test, or this person is outside its share.',
    pt: 'A regra não está publicada para esta pessoa: é rascunho, está em teste, ou a pessoa está fora da parcela.',
  },
  PAUSED: {
    stage: 'decide',
    group: 'rule',
    en: 'The rule is paused: nothing starts, and what waits is held until it is resumed.',
    pt: 'A regra está pausada: nada começa, e o que espera fica retido até ela ser retomada.',
  },
  KILLED: {
    stage: 'decide',
    group: 'rule',
    en: 'Somebody stopped the rule: nothing starts, and what waited was cancelled.',
    pt: 'Alguém parou a regra: nada começa, e o que esperava foi cancelado.',
  },
  SHADOW: {
    stage: 'decide',
    group: 'rule',
    en: 'The rule runs as a shadow: it decided, and sent nothing.',
    pt: 'A regra roda em sombra: decidiu e não enviou nada.',
  },
  GOAL_REACHED: {
    stage: 'decide',
    group: 'rule',
    en: 'The person already did what the rule wants.',
    pt: 'A pessoa já fez o que a regra busca.',
  },
  // permit
  BLOCKED_BY_FENCE: {
    stage: 'permit',
    group: 'consent',
    en: 'A withdrawal arrived and is being processed; nothing leaves meanwhile.',
    pt: 'Uma revogação chegou e está em processamento; nada sai enquanto isso.',
  },
  BLOCKED_BY_CONSENT: {
    stage: 'permit',
    group: 'consent',
    en: 'Consent asked at delivery: not granted.',
    pt: 'Consentimento consultado na entrega: não autorizado.',
  },
  BLOCKED_BY_SHARING: {
    stage: 'permit',
    group: 'consent',
    en: 'The destination is another controller and the person gave no specific consent to share (LGPD art. 7 §5).',
    pt: 'O destino é outro controlador e não há consentimento específico para compartilhar (LGPD art. 7º §5º).',
  },
  BLOCKED_BY_TRANSFER: {
    stage: 'permit',
    group: 'consent',
    en: 'The destination is abroad, or its country is not declared, and no ground of LGPD art. 33 is on file.',
    pt: 'O destino fica fora do país, ou não declara em que país fica, e não há hipótese do art. 33 da LGPD registrada.',
  },
  UNDECLARED: {
    stage: 'permit',
    group: 'consent',
    en: 'The destination does not declare this purpose.',
    pt: 'O destino não declara esta finalidade.',
  },
  GRANTED_AGAIN: {
    stage: 'permit',
    group: 'done',
    en: 'The person agreed again before this tool was told of the withdrawal: there is nothing to tell.',
    pt: 'A pessoa concordou de novo antes que esta ferramenta fosse avisada da revogação: não há o que avisar.',
  },
  HELD_OUT: {
    stage: 'permit',
    group: 'experiment',
    en: 'The person is in the control group: would have been sent.',
    pt: 'A pessoa está no grupo de controle: teria recebido.',
  },
  EXPIRED: {
    stage: 'permit',
    group: 'rule',
    en: 'The message was no longer worth sending.',
    pt: 'A mensagem já não valia a pena.',
  },
  HELD_UNTIL: {
    stage: 'lease',
    group: 'rule',
    en: 'It waits for the time at which it may leave: quiet hours, a holiday, a send window or a chosen time.',
    pt: 'Espera a hora em que pode sair: horário de silêncio, feriado, janela de envio ou hora escolhida.',
  },
  SUPERSEDED: {
    stage: 'lease',
    group: 'done',
    en: 'A newer value took its place before it was sent.',
    pt: 'Um valor mais novo tomou o lugar antes do envio.',
  },
  // map
  MAPPING_FAILED: {
    stage: 'map',
    group: 'failed',
    en: 'The payload does not fit the action: a required field is missing or has another type.',
    pt: 'O conteúdo não serve para a ação: falta um campo obrigatório ou o tipo é outro.',
  },
  FAULT: {
    stage: 'map',
    group: 'failed',
    en: 'The hub failed while preparing this one delivery; the reason names the place. Re-drive it once that is mended.',
    pt: 'O hub falhou ao preparar só esta entrega; o motivo diz onde. Reenvie depois do conserto.',
  },
  // send
  WAITING: {
    stage: 'send',
    group: 'failed',
    en: 'The quota of the account or of this contact is used up; it goes out when the vendor has room again.',
    pt: 'A cota da conta ou deste contato acabou; sai quando o fornecedor tiver vaga de novo.',
  },
  RETRY: {
    stage: 'send',
    group: 'failed',
    en: 'The vendor did not take it; it will be sent again.',
    pt: 'O fornecedor não aceitou; será enviado de novo.',
  },
  UNCERTAIN: {
    stage: 'send',
    group: 'failed',
    en: 'The answer was lost and sending twice would hurt; decide by hand.',
    pt: 'A resposta se perdeu e enviar duas vezes faria mal; decida manualmente.',
  },
  REJECTED: {
    stage: 'send',
    group: 'failed',
    en: 'The vendor refuses this item; the mapping must change.',
    pt: 'O fornecedor recusa este item; o mapeamento precisa mudar.',
  },
  AUTHENTICATION: {
    stage: 'send',
    group: 'failed',
    en: 'The vendor refuses the credentials.',
    pt: 'O fornecedor recusa as credenciais.',
  },
  EXHAUSTED: {
    stage: 'send',
    group: 'failed',
    en: 'Every attempt failed; kept among the dead letters.',
    pt: 'Todas as tentativas falharam; guardado entre as cartas mortas.',
  },
  DELIVERED: { stage: 'settle', group: 'done', en: 'The vendor took it.', pt: 'O fornecedor aceitou.' },
} as const satisfies Record<string, Exit>
export type ExitCode = keyof typeof EXITS
