/**
 * Mistakes in rules, told in Portuguese. Each line pairs the English sentence, as it stands where the mistake is found,
 * with its translation; `{a}`, `{b}` … stand for what differs. problems-pt.test.ts fails when a sentence is missing here.
 */

const SENTENCES: readonly (readonly [en: string, pt: string])[] = [
  // load.ts: the document and the schema
  ['not valid YAML: {a}; check indentation and quotes', 'YAML inválido: {a}; confira o recuo e as aspas'],
  ['{a}; write the values out', 'o documento não pode ser lido: escreva os valores por extenso'],
  [
    'rule {a} is already written at {b}: give this one another id, or keep only the newest version',
    'a regra {a} já está escrita em {b}: dê outro id a esta, ou deixe só a versão mais nova',
  ],
  ['the rule needs "{b}": add it ({c})', 'falta "{b}" na regra: acrescente'],
  ['the rule needs "{b}": add it', 'falta "{b}" na regra: acrescente'],
  ['"{a}" needs "{b}": add it ({c})', 'falta "{b}" em "{a}": acrescente'],
  ['"{a}" needs "{b}": add it', 'falta "{b}" em "{a}": acrescente'],
  [
    'unknown key "{a}" in the rule: did you mean {c}? allowed are {d}',
    'a palavra "{a}" não existe na regra: seria {c}? Existem {d}',
  ],
  ['unknown key "{a}" in the rule: allowed are {c}', 'a palavra "{a}" não existe na regra: existem {c}'],
  [
    'unknown key "{a}" in "{b}": did you mean {c}? allowed are {d}',
    'a palavra "{a}" não existe em "{b}": seria {c}? Existem {d}',
  ],
  ['unknown key "{a}" in "{b}": allowed are {c}', 'a palavra "{a}" não existe em "{b}": existem {c}'],
  [
    'unknown key "{a}": did you mean {b}? "{c}" must be {d}',
    'a palavra "{a}" não existe em "{c}": seria {b}? Deve ser {d}',
  ],
  ['"{a}" must be one of {b}: did you mean {c}?', '"{a}" deve ser um destes: {b}; seria {c}?'],
  ['"{a}" must be one of {b}', '"{a}" deve ser um destes: {b}'],
  ['"{a}" must be >= {b}: {c}', '"{a}" deve ser pelo menos {b}'],
  ['"{a}" must be > {b}: {c}', '"{a}" deve ser mais de {b}'],
  ['"{a}" must be <= {b}: {c}', '"{a}" deve ser no máximo {b}'],
  ['"{a}" must be < {b}: {c}', '"{a}" deve ser menos de {b}'],
  ['"{a}" must NOT have fewer than {b} items{c}', '"{a}" precisa de pelo menos {b} itens'],
  ['"{a}" must NOT have more than {b} items{c}', '"{a}" pode ter no máximo {b} itens'],
  ['"{a}" must NOT have fewer than {b} properties{c}', '"{a}" está vazio: precisa de pelo menos {b} palavra'],
  ['"{a}" must NOT have more than {b} properties{c}', '"{a}" pode ter no máximo {b} palavra'],
  ['"{a}" must NOT have fewer than {b} characters{c}', '"{a}" está vazio: precisa de pelo menos {b} letra'],
  ['"{a}" must be {b}', '"{a}" deve ser {b}'],
  ['the rule must be {b}', 'a regra deve ser {b}'],
  ['"{a}" is empty: it needs at least one entry', '"{a}" está vazio: precisa de pelo menos um item'],
  ['"{a}" has the wrong form: it must match {b}', '"{a}" não tem a forma esperada: {b}'],
  [
    '"{a}" is no duration: write one such as PT30M or P1D ({b})',
    '"{a}" não é um prazo: escreva por exemplo PT30M ou P1D',
  ],
  ['"{a}" has the wrong form: {b} HH:MM, in quotes.', '"{a}" não é uma hora: escreva HH:MM, entre aspas'],
  ['"{a}" has the wrong form: {b}', '"{a}" não tem a forma esperada ({b})'],
  // lint.ts
  ['"per: session" needs "max" beside it, e.g. max: 1', '"per: session" precisa de "max" ao lado, por exemplo max: 1'],
  [
    'a schedule comes at its own time and in no session: use "min_interval"',
    'um horário marcado não faz parte de visita nenhuma: use "min_interval"',
  ],
  ['is already written at {a}: give this one another id', 'já está escrita em {a}: dê outro id a esta'],
  [
    'purpose "{a}" is not in the configuration: use {b}, or add it under purposes',
    'a finalidade "{a}" não está na configuração: use {b}, ou acrescente-a em purposes',
  ],
  [
    'trait "{a}" is text and sealed, so no rule can read it: if it is not personal on its own (a plan, a state), add it to openTraits; otherwise use a number, true/false or a count',
    'a característica "{a}" é texto e fica lacrada, nenhuma regra a lê: se por si só não identifica ninguém (um plano, um estado), acrescente-a em openTraits; se não, use um número, true/false ou uma contagem',
  ],
  [
    '"{a}" does not collect the trait "{b}", so this rule would never see it: add it under purposes.{c}.collects, e.g. {d}',
    'a finalidade "{a}" não coleta a característica "{b}", e a regra nunca a veria: acrescente-a em purposes.{c}.collects, por exemplo {d}',
  ],
  [
    '{a} was fed by events kept for "{b}", and this rule acts for "{c}": read counters.{d}.… instead',
    '{a} conta eventos guardados para "{b}", e esta regra age para "{c}": leia counters.{d}.…',
  ],
  [
    'group "{a}" has the window {b} in rule {c} ({d}) and {e} here: a group has one window, write the same in both',
    'o grupo "{a}" tem o período {b} na regra {c} ({d}) e {e} aqui: um grupo tem um só período, escreva o mesmo nas duas',
  ],
  [
    'audience "{a}" is not in the configuration: use {b}, or add it under {c}',
    'o público "{a}" não está na configuração: use {b}, ou acrescente-o em {c}',
  ],
  [
    'score "{a}" is not in the configuration: use {b}, or add it under {c}',
    'a pontuação "{a}" não está na configuração: use {b}, ou acrescente-a em {c}',
  ],
  [
    'computed trait "{a}" is not in the configuration: use {b}, or add it under {c}',
    'a característica calculada "{a}" não está na configuração: use {b}, ou acrescente-a em {c}',
  ],
  [
    'audience "{a}" is kept for "{b}", and this rule acts for "{c}", so it would never see it: use one of the same purpose',
    'o público "{a}" é da finalidade "{b}", e esta regra age para "{c}": nunca o veria; use um da mesma finalidade',
  ],
  [
    'score "{a}" is kept for "{b}", and this rule acts for "{c}", so it would never see it: use one of the same purpose',
    'a pontuação "{a}" é da finalidade "{b}", e esta regra age para "{c}": nunca a veria; use uma da mesma finalidade',
  ],
  [
    'computed trait "{a}" is kept for "{b}", and this rule acts for "{c}", so it would never see it: use one of the same purpose',
    'a característica calculada "{a}" é da finalidade "{b}", e esta regra age para "{c}": nunca a veria; use uma da mesma finalidade',
  ],
  [
    '"{a}" is longer than what is kept for "{b}" ({c} days): shorten the window',
    '"{a}" é mais do que se guarda para "{b}" ({c} dias): encurte o período',
  ],
  // lint-when.ts
  ['"{a}" is no field a rule can read: use {b}', '"{a}" não é um campo que uma regra possa ler: use {b}'],
  [
    '{a} is a number in minor units (5000 is 50.00), write one without quotes',
    '{a} é um número em centavos (5000 são 50,00), escreva-o sem aspas',
  ],
  ['{a} is a number, write one without quotes', '{a} é um número, escreva-o sem aspas'],
  ['is a number, write one without quotes', 'é um número, escreva-o sem aspas'],
  ['person.known is true or false', 'person.known é true ou false'],
  ['takes no value, remove it', 'não leva valor, retire-o'],
  ['needs a value, add "value: …"', 'precisa de um valor, acrescente "value: …"'],
  ['needs a list, write "value: [a, b]"', 'precisa de uma lista, escreva "value: [a, b]"'],
  ['takes one value; for several use "op: in"', 'leva um valor só; para vários use "op: in"'],
  [
    'compares numbers or text; for true or false use "op: eq"',
    'compara números ou texto; para true ou false use "op: eq"',
  ],
  [
    'needs either "window: P30D" or "from: 2026-11-01", and not both',
    'precisa de "window: P30D" ou de "from: 2026-11-01", e não dos dois',
  ],
  ['needs "from" beside it', 'precisa de "from" ao lado'],
  [
    '"{a}" is no whole number of days, weeks, months or years: write P1D, P7D, P1M',
    '"{a}" não é um número inteiro de dias, semanas, meses ou anos: escreva P1D, P7D, P1M',
  ],
  ['a window of no length holds nothing', 'um período sem duração não contém nada'],
  ['goes with "window", not with "from"', 'combina com "window", e não com "from"'],
  ['"{a}" is no date', '"{a}" não é uma data'],
  ['{a} is not after {b}: no event can be between them', '{a} não vem depois de {b}: nenhum evento cabe entre os dois'],
  [
    '"{a}" looks like contact data, which profiles must not hold in the open',
    '"{a}" parece dado de contato, que o perfil não pode guardar às claras',
  ],
  [
    '"where" reads the event that is measured, so only event.<property> can stand here',
    '"where" lê o evento que é medido: aqui só cabe event.<propriedade>',
  ],
  [
    'text that is no word of the rule is not kept: compare with eq, ne or in',
    'só se guarda o texto que a própria regra escreve: compare com eq, ne ou in',
  ],
  [
    'the newest {a} events are kept, so this never holds: ask for {b} or fewer',
    'guardam-se os {a} eventos mais novos, e isto nunca vale: peça {b} ou menos',
  ],
  [
    'a time of no length is over at once: write one such as PT30M',
    'um prazo sem duração termina na hora: escreva por exemplo PT30M',
  ],
  ['"{a}" is longer than a rule can wait: at most {b}', '"{a}" é mais do que uma regra pode esperar: no máximo {b}'],
  [
    '"{a}" starts the wait and ends it at once, so this rule never fires: leave it out of "unless", or give it conditions under "where"',
    '"{a}" começa a espera e a encerra na mesma hora, e a regra nunca dispara: tire-o de "unless", ou dê-lhe condições em "where"',
  ],
  [
    '"{a}" is also a goal (exit_on), which forgets the steps before it: this step can never be reached',
    '"{a}" é também objetivo (exit_on), que esquece os passos anteriores: este passo nunca é alcançado',
  ],
  [
    '{a}: an event only makes a {b} larger, so this is never reached by one: use "absence" for what did not happen',
    '{a}: um evento só faz {b} crescer, e nenhum leva até aqui: para o que não aconteceu use "absence"',
  ],
  [
    'an event never makes its own value missing: use "absence"',
    'um evento nunca faz faltar o próprio valor: use "absence"',
  ],
  [
    '{a} holds before any event, so no event makes it true',
    '{a} já vale antes de qualquer evento, e nenhum evento a faz valer',
  ],
  ['crosses needs either "above" or "below", and not both', 'crosses precisa de "above" ou de "below", e não dos dois'],
  ['goes with "below"; with "above" write rearm_below', 'combina com "below"; com "above" escreva rearm_below'],
  [
    '{a} is above the line of {b}: it would count again while it is still above',
    '{a} está acima da linha de {b}: contaria de novo sem ter recuado',
  ],
  ['goes with "above"; with "below" write rearm_above', 'combina com "above"; com "below" escreva rearm_above'],
  [
    '{a} is below the line of {b}: it would count again while it is still below',
    '{a} está abaixo da linha de {b}: contaria de novo sem ter subido',
  ],
  [
    'whoever enters "{a}" is in it, so this rule never fires',
    'quem entra em "{a}" está dentro, e a regra nunca dispara',
  ],
  [
    'whoever leaves "{a}" is not in it, so this rule never fires',
    'quem sai de "{a}" está fora, e a regra nunca dispara',
  ],
  [
    '"{a}" looks like contact data, which timers must not hold: correlate by an id such as cart_id or order_id',
    '"{a}" parece dado de contato, que uma espera não pode guardar: use um id, como cart_id ou order_id',
  ],
  // duration.ts, schedule.ts, cron.ts
  ['"{a}" is no duration: write one such as PT30M or P1D', '"{a}" não é um prazo: escreva por exemplo PT30M ou P1D'],
  [
    '"{a}" counts years or months, which differ in length: write days, e.g. P30D or P365D',
    '"{a}" conta anos ou meses, que variam de tamanho: escreva dias, por exemplo P30D ou P365D',
  ],
  [
    '"{a}" is no schedule: write days or weeks with a time, such as {b}, or {c}',
    '"{a}" não é um horário: escreva dias ou semanas com a hora, como {b}, ou {c}',
  ],
  [
    '"{a}" is no time zone: write one such as America/Sao_Paulo',
    '"{a}" não é um fuso horário: escreva por exemplo America/Sao_Paulo',
  ],
  [
    '"{a}" is no cron line: it needs five fields (minute hour day month weekday), such as "{b}"',
    '"{a}" não é uma linha de cron: são cinco campos (minuto hora dia mês dia da semana), como "{b}"',
  ],
  [
    '"{a}" in the cron line "{b}" is not between {c} and {d}: write numbers, ranges (1-5), lists (1,3) or steps (*/15)',
    '"{a}" na linha de cron "{b}" não está entre {c} e {d}: escreva números, faixas (1-5), listas (1,3) ou passos (*/15)',
  ],
  // lint-gates.ts
  [
    '"default_zone" stands in for the person\'s zone, and this names {a}: remove it',
    '"default_zone" vale quando não se sabe o fuso da pessoa, e aqui está escrito {a}: retire-o',
  ],
  [
    'a rolling window is the same in every zone: remove it, or write "count: calendar"',
    'um período corrido é igual em todo fuso: retire-o, ou escreva "count: calendar"',
  ],
  [
    '"count: calendar" counts days, weeks or months: write P1D, P7D or P1M, not {a}',
    '"count: calendar" conta dias, semanas ou meses: escreva P1D, P7D ou P1M, e não {a}',
  ],
  [
    '"quiet_hours" needs both "from" and "to"; for holidays alone leave out both',
    '"quiet_hours" precisa de "from" e "to"; só para feriados, deixe os dois de fora',
  ],
  [
    '"quiet_hours" says nothing: add "from" and "to", or "holidays: BR"',
    '"quiet_hours" não diz nada: acrescente "from" e "to", ou "holidays: BR"',
  ],
  [
    '"from" and "to" are the same time: nothing would ever be sent',
    '"from" e "to" são a mesma hora: nada sairia nunca',
  ],
  ['write "00:00", the beginning of a day', 'escreva "00:00", o começo do dia'],
  [
    'a window ends on the day it begins: "{a}" is not after "{b}"; write one window up to "24:00" and one from "00:00"',
    'uma janela termina no dia em que começa: "{a}" não vem depois de "{b}"; escreva uma até "24:00" e outra desde "00:00"',
  ],
  ['write "00:00"', 'escreva "00:00"'],
  [
    'these leave no time at which anything may be sent: the windows lie inside the quiet hours',
    'assim não sobra hora em que algo possa sair: as janelas ficam dentro do horário de silêncio',
  ],
  [
    '"{a}" does nothing: add "all" with actions, or "send" with one per channel',
    '"{a}" não faz nada: acrescente "all" com ações, ou "send" com uma por canal',
  ],
  [
    'a chosen time inside quiet hours moves to their edge, and "on_hit: skip" would drop it instead: use "hold"',
    'uma hora escolhida dentro do silêncio vai para a borda dele, e "on_hit: skip" a descartaria: use "hold"',
  ],
  [
    '"channel" chooses among the actions of "send": add {a}',
    '"channel" escolhe entre as ações de "send": acrescente {a}',
  ],
  ['"send" has no action for the channel "{a}": it has {b}', '"send" não tem ação para o canal "{a}": tem {b}'],
  [
    'without consent nothing is sent: write [consent, reachable] or leave "require" out',
    'sem consentimento nada sai: escreva [consent, reachable] ou deixe "require" de fora',
  ],
  [
    'whoever cannot be reached gets nothing: write [consent, reachable] or leave "require" out',
    'quem não tem contato não recebe nada: escreva [consent, reachable] ou deixe "require" de fora',
  ],
  ['variant "{a}" is there twice: give this one another id', 'a variante "{a}" aparece duas vezes: dê outro id a esta'],
  [
    'destination "{a}" is not in the configuration: use {b}, or add it under destinations',
    'o destino "{a}" não está na configuração: use {b}, ou acrescente-o em destinations',
  ],
  ['destination "{a}" has no action "{b}": use {c}', 'o destino "{a}" não tem a ação "{b}": use {c}'],
  ['{a} is {b} and stands under "{c}": write it under "{d}"', '{a} é {b} e está em "{c}": escreva em "{d}"'],
  [
    '"per: {a}" counts messages on a channel and no action of this rule has one: use "per: person+rule"',
    '"per: {a}" conta mensagens num canal, e nenhuma ação desta regra tem um: use "per: person+rule"',
  ],
  [
    '"per: {a}" does not count messages that a contract owes the person: use "per: person+rule"',
    '"per: {a}" não conta mensagens devidas por contrato: use "per: person+rule"',
  ],
  [
    'no action of this rule disturbs anybody (none has a channel, or it is ads, onsite or task): remove it',
    'nenhuma ação desta regra incomoda alguém (não tem canal, ou é ads, onsite ou task): retire-o',
  ],
  [
    'offer "{a}" is not in the configuration: use {b}, or add it under offers',
    'a oferta "{a}" não está na configuração: use {b}, ou acrescente-a em offers',
  ],
  // lint-branches.ts
  [
    'with "branches" the actions stand inside them: move "{a}" into a branch, the last one without "who" if it is for everybody',
    'com "branches" as ações ficam dentro dos ramos: ponha "{a}" num deles, no último sem "who" se vale para todos',
  ],
  ['branch "{a}" is there twice: give this one another id', 'o ramo "{a}" aparece duas vezes: dê outro id a este'],
  [
    'branch "{a}" above fits everybody, so "{b}" is never taken: put it above, or give "{c}" a "who"',
    'o ramo "{a}", acima, serve para todos, e "{b}" nunca é seguido: ponha-o acima, ou dê um "who" a "{c}"',
  ],
  [
    'every branch is for what ended the wait and none for the wait that nothing ended: add one without "on"',
    'todos os ramos são para o que encerrou a espera, e nenhum para a que nada encerrou: acrescente um sem "on"',
  ],
  [
    '"on" is about what ended a wait, and this rule does not wait: use "who", or "when: {absence: …}"',
    '"on" fala do que encerrou uma espera, e esta regra não espera: use "who", ou "when: {absence: …}"',
  ],
  [
    '"{a}" does not end the wait: write it as under "unless": {b}',
    '"{a}" não encerra a espera: escreva como em "unless": {b}',
  ],
  [
    '"{a}" is a goal (exit_on), which cancels what this branch would send: take it out of one of the two',
    '"{a}" é objetivo (exit_on), que cancela o que este ramo enviaria: tire-o de um dos dois',
  ],
  // rules/commands.ts and rules/publish.ts
  [
    'rule {a} version {b} was changed without a new version: raise "version", so that running instances keep theirs',
    'a versão {b} da regra {a} mudou sem número novo: aumente "version", para que o que está em andamento siga na sua',
  ],
  [
    'group "{a}" has the window {b} in rule {c}, which is published, and {d} here: write the same; to change it, send all rules of the group together with their "rollout"',
    'o grupo "{a}" tem o período {b} na regra {c}, que está publicada, e {d} aqui: escreva o mesmo; para mudá-lo, envie juntas todas as regras do grupo com o seu "rollout"',
  ],
  ['The documents hold no rule.', 'O texto não tem nenhuma regra.'],
]

/** Parts of sentences: what a value must be, and what the YAML parser says of the usual slips. */
const WORDS: readonly (readonly [en: RegExp, pt: string])[] = [
  [/a mapping \(key: value\)/g, 'um bloco (chave: valor)'],
  [/a list \(- item\)/g, 'uma lista (- item)'],
  [/a mapping with /g, 'um bloco com '],
  [/a group with /g, 'um grupo com '],
  [/a whole number/g, 'um número inteiro'],
  [/a number/g, 'um número'],
  [/true or false/g, 'true ou false'],
  [/\btext\b/g, 'texto'],
  [/one of /g, 'um destes: '],
  [/ or /g, ' ou '],
  [/\(none\)/g, '(nenhum)'],
  [/\(no event\)/g, '(nenhum evento)'],
  [/Map keys must be unique/g, 'a mesma chave aparece duas vezes'],
  [/All mapping items must start at the same column/g, 'as chaves de um bloco começam na mesma coluna'],
  [/All collection items must start at the same column/g, 'os itens de uma lista começam na mesma coluna'],
  [/Nested mappings are not allowed in compact mappings/g, 'há dois-pontos a mais na linha'],
  [/Implicit keys need to be on a single line/g, 'uma chave fica numa linha só'],
  [/Implicit map keys need to be followed by map values/g, 'uma chave precisa de dois-pontos e de um valor'],
  [/Missing closing (.)quote/g, 'falta fechar as aspas $1'],
  [/Flow (?:map|sequence) .*?end with a (\S).*/g, 'falta fechar com $1'],
  [/Tabs are not allowed as indentation/g, 'o recuo é com espaços, e não com tabulações'],
  [/Unexpected (\S+) in /g, '$1 inesperado em '],
]

interface Known {
  readonly en: RegExp
  readonly pt: string
  readonly names: readonly string[]
}

const literal = (text: string) => text.replace(/[.*+?^$()|[\]\\]/g, '\\$&')
const HOLE = /\{([a-e])\}/

const known: readonly Known[] = SENTENCES.map(([en, pt]) => {
  // Every second part is the name of a hole.
  const parts = en.split(HOLE)
  const body = parts.map((part, index) => (index % 2 === 0 ? literal(part).replace(/[{}]/g, '\\$&') : '(.*?)')).join('')
  return { en: new RegExp(`^${body}$`, 's'), pt, names: parts.filter((_, index) => index % 2 === 1) }
})

const worded = (text: string) => WORDS.reduce((told, [en, pt]) => told.replace(en, pt), text)

/** Names that stand before a sentence: of a measure, of a field with its operator. */
const BEFORE = /^([\w.<>]+(?: [a-z]+)?): (.*)$/s

/** @param message as the loader tells it, without its place. @returns the same when no sentence of the list fits. */
export function problemInPortuguese(message: string): string {
  const ofRule = /^rule (\S+?): (.*)$/s.exec(message)
  if (ofRule) return `regra ${ofRule[1]}: ${problemInPortuguese(ofRule[2]!)}`
  for (const { en, pt, names } of known) {
    const found = en.exec(message)
    if (!found) continue
    return pt.replace(new RegExp(HOLE, 'g'), (_, name: string) => worded(found[names.indexOf(name) + 1] ?? ''))
  }
  const before = BEFORE.exec(message)
  if (!before) return message
  const rest = problemInPortuguese(before[2]!)
  return rest === before[2] ? message : `${before[1]}: ${rest}`
}
