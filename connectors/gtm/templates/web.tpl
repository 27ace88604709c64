___TERMS_OF_SERVICE___

By creating or modifying this file you agree to Google Tag Manager's Community
Template Gallery Developer Terms of Service available at
https://developers.google.com/tag-manager/gallery-tos (or such other URL as
Google may provide), as modified from time to time.


___INFO___

{
  "type": "TAG",
  "id": "cvt_temp_public_id",
  "version": 1,
  "securityGroups": [],
  "displayName": "Anuente: evento do site",
  "categories": [
    "ANALYTICS",
    "MARKETING"
  ],
  "brand": {
    "id": "brand_dummy",
    "displayName": "Anuente",
    "thumbnail": ""
  },
  "description": "Envia o evento e o estado do Modo de Consentimento ao seu hub Anuente. O que ninguém respondeu não é consentimento.",
  "containerContexts": [
    "WEB"
  ]
}


___TEMPLATE_PARAMETERS___

[
  {
    "type": "TEXT",
    "name": "hubUrl",
    "displayName": "Endereço do hub",
    "simpleValueType": true,
    "help": "Com https, sem caminho. Exemplo: https://hub.loja.example",
    "valueValidators": [
      {
        "type": "NON_EMPTY",
        "errorMessage": "Informe o endereço do hub."
      },
      {
        "type": "REGEX",
        "args": [
          "^https://[^/?#]+/?$"
        ],
        "errorMessage": "Use um endereço https sem caminho, como https://hub.loja.example"
      }
    ]
  },
  {
    "type": "TEXT",
    "name": "measurementId",
    "displayName": "Id de medição da fonte",
    "simpleValueType": true,
    "help": "O measurementId da fonte gtm na configuração do hub. É público: qualquer visitante da página o vê.",
    "valueHint": "G-ABC123",
    "valueValidators": [
      {
        "type": "NON_EMPTY",
        "errorMessage": "Informe o id de medição da fonte."
      }
    ]
  },
  {
    "type": "GROUP",
    "name": "event",
    "displayName": "Evento",
    "groupStyle": "ZIPPY_OPEN",
    "subParams": [
      {
        "type": "TEXT",
        "name": "eventName",
        "displayName": "Nome do evento",
        "simpleValueType": true,
        "help": "Nome do GA4, como add_to_cart. Vazio: o do evento que acionou a tag; o carregamento da página (gtm.js) é page_view."
      },
      {
        "type": "CHECKBOX",
        "name": "sendEcommerce",
        "checkboxText": "Nos eventos de comércio do GA4, ler ecommerce da camada de dados",
        "simpleValueType": true,
        "defaultValue": true
      },
      {
        "type": "GROUP",
        "name": "parameterGroup",
        "displayName": "Parâmetros do evento",
        "groupStyle": "ZIPPY_CLOSED",
        "subParams": [
          {
            "type": "SIMPLE_TABLE",
            "name": "parameters",
            "displayName": "",
            "simpleTableColumns": [
              {
                "defaultValue": "",
                "displayName": "Nome",
                "name": "name",
                "type": "TEXT",
                "isUnique": true,
                "valueValidators": [
                  {
                    "type": "NON_EMPTY",
                    "errorMessage": "Informe o nome do parâmetro."
                  }
                ]
              },
              {
                "defaultValue": "",
                "displayName": "Valor",
                "name": "value",
                "type": "TEXT"
              }
            ],
            "newRowButtonText": "Adicionar parâmetro"
          }
        ]
      }
    ]
  },
  {
    "type": "GROUP",
    "name": "person",
    "displayName": "Pessoa",
    "groupStyle": "ZIPPY_CLOSED",
    "subParams": [
      {
        "type": "TEXT",
        "name": "userId",
        "displayName": "Id do usuário",
        "simpleValueType": true,
        "help": "O id de quem está conectado. Não use e-mail, telefone nem CPF: o valor vai no endereço da chamada."
      },
      {
        "type": "TEXT",
        "name": "clientId",
        "displayName": "client_id",
        "simpleValueType": true,
        "help": "Vazio: o que a tag do Google guardou no navegador."
      },
      {
        "type": "TEXT",
        "name": "userData",
        "displayName": "Dados fornecidos pelo usuário",
        "simpleValueType": true,
        "help": "Variável do tipo Dados fornecidos pelo usuário. E-mail e telefone viram SHA-256 na página e só são enviados com ad_user_data concedido pela pessoa. O hub guarda os códigos junto do evento; eles não identificam ninguém."
      }
    ]
  },
  {
    "type": "GROUP",
    "name": "consent",
    "displayName": "Consentimento",
    "groupStyle": "ZIPPY_OPEN",
    "subParams": [
      {
        "type": "LABEL",
        "name": "consentHelp",
        "displayName": "O Modo de Consentimento responde \"concedido\" também quando ninguém perguntou nada. Diga como cada sinal começa nas suas páginas, antes desta tag. Sem essa resposta, só conta o que a pessoa mudar com a página aberta; o hub entende o resto como não."
      },
      {
        "type": "SELECT",
        "name": "defaultAdStorage",
        "displayName": "Padrão de ad_storage",
        "macrosInSelect": false,
        "simpleValueType": true,
        "defaultValue": "unknown",
        "selectItems": [
          {
            "value": "unknown",
            "displayValue": "não sei, ou não há padrão"
          },
          {
            "value": "denied",
            "displayValue": "negado"
          },
          {
            "value": "granted",
            "displayValue": "concedido"
          }
        ]
      },
      {
        "type": "SELECT",
        "name": "defaultAnalyticsStorage",
        "displayName": "Padrão de analytics_storage",
        "macrosInSelect": false,
        "simpleValueType": true,
        "defaultValue": "unknown",
        "selectItems": [
          {
            "value": "unknown",
            "displayValue": "não sei, ou não há padrão"
          },
          {
            "value": "denied",
            "displayValue": "negado"
          },
          {
            "value": "granted",
            "displayValue": "concedido"
          }
        ]
      },
      {
        "type": "SELECT",
        "name": "defaultAdUserData",
        "displayName": "Padrão de ad_user_data",
        "macrosInSelect": false,
        "simpleValueType": true,
        "defaultValue": "unknown",
        "selectItems": [
          {
            "value": "unknown",
            "displayValue": "não sei, ou não há padrão"
          },
          {
            "value": "denied",
            "displayValue": "negado"
          },
          {
            "value": "granted",
            "displayValue": "concedido"
          }
        ]
      },
      {
        "type": "SELECT",
        "name": "defaultAdPersonalization",
        "displayName": "Padrão de ad_personalization",
        "macrosInSelect": false,
        "simpleValueType": true,
        "defaultValue": "unknown",
        "selectItems": [
          {
            "value": "unknown",
            "displayValue": "não sei, ou não há padrão"
          },
          {
            "value": "denied",
            "displayValue": "negado"
          },
          {
            "value": "granted",
            "displayValue": "concedido"
          }
        ]
      },
      {
        "type": "CHECKBOX",
        "name": "sendDenied",
        "checkboxText": "Enviar eventos também com analytics_storage negado",
        "simpleValueType": true,
        "defaultValue": false,
        "help": "O hub registra a negativa e não usa o evento. Mudanças de consentimento são enviadas sempre."
      }
    ]
  }
]


___SANDBOXED_JS_FOR_WEB_TEMPLATE___

const addConsentListener = require('addConsentListener');
const callLater = require('callLater');
const copyFromDataLayer = require('copyFromDataLayer');
const encodeUriComponent = require('encodeUriComponent');
const generateRandom = require('generateRandom');
const getReferrerUrl = require('getReferrerUrl');
const getTimestampMillis = require('getTimestampMillis');
const getType = require('getType');
const getUrl = require('getUrl');
const isConsentGranted = require('isConsentGranted');
const JSON = require('JSON');
const logToConsole = require('logToConsole');
const makeString = require('makeString');
const Object = require('Object');
const readAnalyticsStorage = require('readAnalyticsStorage');
const readTitle = require('readTitle');
const sendPixel = require('sendPixel');
const sha256 = require('sha256');
const templateStorage = require('templateStorage');

// The order of the signals in gcd.
const SIGNALS = ['ad_storage', 'analytics_storage', 'ad_user_data', 'ad_personalization'];
const DEFAULTS = {
  ad_storage: data.defaultAdStorage,
  analytics_storage: data.defaultAnalyticsStorage,
  ad_user_data: data.defaultAdUserData,
  ad_personalization: data.defaultAdPersonalization
};

// Fields of an item and their keys in prN; the others go as k0<name>~v0<value>.
const ITEM_KEYS = {
  item_id: 'id', item_name: 'nm', item_brand: 'br', item_category: 'ca', item_category2: 'c2', item_category3: 'c3',
  item_category4: 'c4', item_category5: 'c5', price: 'pr', quantity: 'qt', item_variant: 'va', coupon: 'cp',
  discount: 'ds', item_list_name: 'ln', item_list_id: 'li', index: 'lp', affiliation: 'af', location_id: 'lo',
  creative_name: 'cn', creative_slot: 'cs', promotion_id: 'pi', promotion_name: 'pn'
};
const CUSTOM_KEYS = 10;
const MAX_ITEMS = 200;
// Servers take 16 kB of request line and headers, cookies included.
const MAX_URL = 8000;

// What was pushed under ecommerce stays in the data layer: another event would carry the last one's order along.
const COMMERCE = [
  'add_payment_info', 'add_shipping_info', 'add_to_cart', 'add_to_wishlist', 'begin_checkout', 'purchase', 'refund',
  'remove_from_cart', 'select_item', 'select_promotion', 'view_cart', 'view_item', 'view_item_list', 'view_promotion'
];

// Who it is about has fields of its own, with rules of their own.
const NOT_PARAMETERS = ['items', 'client_id', 'user_id', 'user_data'];

const given = (value) => value !== undefined && value !== null && value !== '';

const log = (text) => logToConsole('Anuente: ' + text);

// What this page said so far, one state per measurement id. It is stored anew after each change.
const readPage = () => templateStorage.getItem(data.measurementId) || {
  id: makeString(getTimestampMillis()) + makeString(generateRandom(100000, 999999)),
  hits: 0,
  heard: {},
  listening: false,
  waiting: false
};
const savePage = (page) => templateStorage.setItem(data.measurementId, page);

// One letter of gcd. isConsentGranted says yes also of a signal nobody ever set, so a yes that was not heard as a change
// is an answer only where the site declares that the signal begins denied. A no that was not heard is the default that
// each page begins with, and takes nothing back.
const letterOf = (signal, heard) => {
  const granted = isConsentGranted(signal);
  const answered = given(heard[signal]);
  if (DEFAULTS[signal] === 'denied') return granted ? 'r' : answered ? 'q' : 'p';
  if (DEFAULTS[signal] === 'granted') return granted ? (answered ? 'v' : 't') : 'u';
  if (granted) return answered ? 'n' : 'l';
  return answered ? 'm' : 'p';
};

const consentOf = (heard) => {
  const letters = SIGNALS.map((signal) => letterOf(signal, heard));
  const active = letters.filter((letter) => letter !== 'l').length > 0;
  return '13' + letters.join('3') + (active ? '5' : '1') + 'l1';
};

const part = (name, value) => encodeUriComponent(name) + '=' + encodeUriComponent(makeString(value));

const parameterParts = (fields) => {
  const parts = [];
  Object.keys(fields).forEach((name) => {
    const value = fields[name];
    const type = getType(value);
    if (!given(value) || type === 'function') return;
    if (NOT_PARAMETERS.indexOf(name) !== -1 || name.indexOf('user_data.') === 0) return;
    if (type === 'number') parts.push(part('epn.' + name, value));
    else if (type === 'object' || type === 'array') parts.push(part('ep.' + name, JSON.stringify(value)));
    else parts.push(part('ep.' + name, value));
  });
  return parts;
};

const itemText = (item) => {
  const fields = [];
  let custom = 0;
  Object.keys(item).forEach((name) => {
    const value = item[name];
    const type = getType(value);
    if (!given(value) || type === 'object' || type === 'array' || type === 'function') return;
    const text = makeString(value).split('~').join('~~');
    if (ITEM_KEYS[name]) fields.push(ITEM_KEYS[name] + text);
    else if (custom < CUSTOM_KEYS) {
      fields.push('k' + custom + name.split('~').join('~~'));
      fields.push('v' + custom + text);
      custom = custom + 1;
    }
  });
  return fields.join('~');
};

// Items that make the address too long are counted, not sent: the event's own value stays whole.
const withItems = (address, items) => {
  let url = address;
  let omitted = 0;
  items.forEach((item, index) => {
    const longer = url + '&pr' + (index + 1) + '=' + encodeUriComponent(itemText(item));
    if (omitted === 0 && index < MAX_ITEMS && longer.length <= MAX_URL) url = longer;
    else omitted = omitted + 1;
  });
  if (omitted === 0) return url;
  log(omitted + ' itens não couberam no endereço.');
  return url + '&' + part('epn.items_omitted', omitted);
};

const clientIdOf = (page) => {
  if (given(data.clientId)) return makeString(data.clientId);
  const stored = readAnalyticsStorage();
  if (stored && given(stored.client_id)) return stored.client_id;
  return page.clientId;
};

// Says nothing of somebody who cannot be told apart: the hub could not keep it for anyone.
const send = (name, parts, items, done) => {
  const page = readPage();
  const clientId = clientIdOf(page);
  if (!given(clientId) && !given(data.userId)) {
    log('sem client_id nem user_id; nada foi enviado.');
    return done();
  }
  page.clientId = clientId;
  page.hits = page.hits + 1;
  savePage(page);
  const shared = [
    part('v', '2'), part('tid', data.measurementId), part('_p', page.id), part('_s', page.hits),
    part('en', name), part('gcd', consentOf(page.heard))
  ];
  if (given(clientId)) shared.push(part('cid', clientId));
  if (given(data.userId)) shared.push(part('uid', data.userId));
  shared.push(part('dl', getUrl()));
  const referrer = getReferrerUrl();
  if (given(referrer)) shared.push(part('dr', referrer));
  const title = readTitle();
  if (given(title)) shared.push(part('dt', title));
  const host = data.hubUrl.charAt(data.hubUrl.length - 1) === '/' ? data.hubUrl.slice(0, -1) : data.hubUrl;
  // The hub answers 204. That is no image, and browsers report it as a failure though the event was taken.
  sendPixel(withItems(host + '/g/collect?' + shared.concat(parts).join('&'), items), done, done);
};

const hear = (signal, granted) => {
  const page = readPage();
  page.heard[signal] = granted ? 'granted' : 'denied';
  const first = !page.waiting;
  page.waiting = true;
  savePage(page);
  if (!first) return;
  // A banner answers several signals in one update: they are one statement.
  callLater(() => {
    const now = readPage();
    now.waiting = false;
    savePage(now);
    send('Consent Updated', [part('ep.command', 'update')], [], () => {});
  });
};

// Hashed in the page; in an address nothing stays in the clear. Only where the person agreed to it.
const withUserData = (parts, go) => {
  const letter = letterOf('ad_user_data', readPage().heard);
  const user = data.userData;
  if (getType(user) !== 'object' || 'nrv'.indexOf(letter) === -1) return go(parts);
  const clear = [];
  const hashes = [];
  const take = (key, hash, value) => {
    if (given(hash)) hashes.push(key + '.' + hash);
    else if (given(value)) clear.push({ key: key, value: makeString(value).trim().toLowerCase() });
  };
  take('em', user.sha256_email_address, user.email_address || user.email);
  take('pn', user.sha256_phone_number, user.phone_number || user.phone);
  const next = () => {
    const field = clear.pop();
    if (!field) {
      return go(hashes.length > 0 ? parts.concat([part('em', ['tv.1'].concat(hashes).join('~'))]) : parts);
    }
    sha256(field.value, (hash) => {
      hashes.push(field.key + '.' + hash);
      next();
    }, next, { outputEncoding: 'hex' });
  };
  next();
};

const eventName = () => {
  if (given(data.eventName)) return data.eventName;
  const pushed = copyFromDataLayer('event');
  return pushed === 'gtm.js' ? 'page_view' : pushed;
};

const run = () => {
  const page = readPage();
  if (!page.listening) {
    page.listening = true;
    savePage(page);
    SIGNALS.forEach((signal) => addConsentListener(signal, hear));
  }
  if (!data.sendDenied && !isConsentGranted('analytics_storage')) return data.gtmOnSuccess();
  const name = eventName();
  if (!given(name) || name.indexOf('gtm.') === 0) {
    log('sem nome de evento; preencha o campo do nome nesta tag.');
    return data.gtmOnFailure();
  }
  // Version 1 gives what was pushed last; 2 would merge its items with those of the push before.
  const commerce = data.sendEcommerce && COMMERCE.indexOf(name) !== -1;
  const ecommerce = commerce ? copyFromDataLayer('ecommerce', 1) : undefined;
  const fields = {};
  let items = [];
  if (getType(ecommerce) === 'object') {
    Object.keys(ecommerce).forEach((key) => {
      fields[key] = ecommerce[key];
    });
    if (getType(ecommerce.items) === 'array') items = ecommerce.items.filter((item) => getType(item) === 'object');
  }
  (data.parameters || []).forEach((row) => {
    fields[row.name] = row.value;
  });
  withUserData(parameterParts(fields), (parts) => send(name, parts, items, data.gtmOnSuccess));
};

run();


___WEB_PERMISSIONS___

[
  {
    "instance": {
      "key": {
        "publicId": "access_consent",
        "versionId": "1"
      },
      "param": [
        {
          "key": "consentTypes",
          "value": {
            "type": 2,
            "listItem": [
              {
                "type": 3,
                "mapKey": [
                  {
                    "type": 1,
                    "string": "consentType"
                  },
                  {
                    "type": 1,
                    "string": "read"
                  },
                  {
                    "type": 1,
                    "string": "write"
                  }
                ],
                "mapValue": [
                  {
                    "type": 1,
                    "string": "ad_storage"
                  },
                  {
                    "type": 8,
                    "boolean": true
                  },
                  {
                    "type": 8,
                    "boolean": false
                  }
                ]
              },
              {
                "type": 3,
                "mapKey": [
                  {
                    "type": 1,
                    "string": "consentType"
                  },
                  {
                    "type": 1,
                    "string": "read"
                  },
                  {
                    "type": 1,
                    "string": "write"
                  }
                ],
                "mapValue": [
                  {
                    "type": 1,
                    "string": "analytics_storage"
                  },
                  {
                    "type": 8,
                    "boolean": true
                  },
                  {
                    "type": 8,
                    "boolean": false
                  }
                ]
              },
              {
                "type": 3,
                "mapKey": [
                  {
                    "type": 1,
                    "string": "consentType"
                  },
                  {
                    "type": 1,
                    "string": "read"
                  },
                  {
                    "type": 1,
                    "string": "write"
                  }
                ],
                "mapValue": [
                  {
                    "type": 1,
                    "string": "ad_user_data"
                  },
                  {
                    "type": 8,
                    "boolean": true
                  },
                  {
                    "type": 8,
                    "boolean": false
                  }
                ]
              },
              {
                "type": 3,
                "mapKey": [
                  {
                    "type": 1,
                    "string": "consentType"
                  },
                  {
                    "type": 1,
                    "string": "read"
                  },
                  {
                    "type": 1,
                    "string": "write"
                  }
                ],
                "mapValue": [
                  {
                    "type": 1,
                    "string": "ad_personalization"
                  },
                  {
                    "type": 8,
                    "boolean": true
                  },
                  {
                    "type": 8,
                    "boolean": false
                  }
                ]
              }
            ]
          }
        }
      ]
    },
    "clientAnnotations": {
      "isEditedByUser": true
    },
    "isRequired": true
  },
  {
    "instance": {
      "key": {
        "publicId": "access_template_storage",
        "versionId": "1"
      },
      "param": []
    },
    "clientAnnotations": {
      "isEditedByUser": true
    },
    "isRequired": true
  },
  {
    "instance": {
      "key": {
        "publicId": "get_referrer",
        "versionId": "1"
      },
      "param": [
        {
          "key": "urlParts",
          "value": {
            "type": 1,
            "string": "any"
          }
        },
        {
          "key": "queriesAllowed",
          "value": {
            "type": 1,
            "string": "any"
          }
        }
      ]
    },
    "clientAnnotations": {
      "isEditedByUser": true
    },
    "isRequired": true
  },
  {
    "instance": {
      "key": {
        "publicId": "get_url",
        "versionId": "1"
      },
      "param": [
        {
          "key": "urlParts",
          "value": {
            "type": 1,
            "string": "any"
          }
        },
        {
          "key": "queriesAllowed",
          "value": {
            "type": 1,
            "string": "any"
          }
        }
      ]
    },
    "clientAnnotations": {
      "isEditedByUser": true
    },
    "isRequired": true
  },
  {
    "instance": {
      "key": {
        "publicId": "logging",
        "versionId": "1"
      },
      "param": [
        {
          "key": "environments",
          "value": {
            "type": 1,
            "string": "debug"
          }
        }
      ]
    },
    "clientAnnotations": {
      "isEditedByUser": true
    },
    "isRequired": true
  },
  {
    "instance": {
      "key": {
        "publicId": "read_analytics_storage",
        "versionId": "1"
      },
      "param": []
    },
    "clientAnnotations": {
      "isEditedByUser": true
    },
    "isRequired": true
  },
  {
    "instance": {
      "key": {
        "publicId": "read_data_layer",
        "versionId": "1"
      },
      "param": [
        {
          "key": "allowedKeys",
          "value": {
            "type": 1,
            "string": "specific"
          }
        },
        {
          "key": "keyPatterns",
          "value": {
            "type": 2,
            "listItem": [
              {
                "type": 1,
                "string": "event"
              },
              {
                "type": 1,
                "string": "ecommerce"
              }
            ]
          }
        }
      ]
    },
    "clientAnnotations": {
      "isEditedByUser": true
    },
    "isRequired": true
  },
  {
    "instance": {
      "key": {
        "publicId": "read_title",
        "versionId": "1"
      },
      "param": []
    },
    "clientAnnotations": {
      "isEditedByUser": true
    },
    "isRequired": true
  },
  {
    "instance": {
      "key": {
        "publicId": "send_pixel",
        "versionId": "1"
      },
      "param": [
        {
          "key": "allowedUrls",
          "value": {
            "type": 1,
            "string": "any"
          }
        }
      ]
    },
    "clientAnnotations": {
      "isEditedByUser": true
    },
    "isRequired": true
  }
]


___TESTS___

scenarios:
- name: A page load becomes page_view
  code: |-
    runCode(mockData);
    assertApi('sendPixel').wasCalled();
    assertThat(sent[0]).contains('https://hub.loja.example/g/collect?v=2&tid=G-ABC123');
    assertThat(sent[0]).contains('&en=page_view');
    assertApi('gtmOnSuccess').wasCalled();
- name: A signal that nobody set is sent as unset
  code: |-
    runCode(mockData);
    assertThat(sent[0]).contains('&gcd=13l3l3l3l1l1');
- name: With analytics denied no event is sent
  code: |-
    mock('isConsentGranted', () => false);
    runCode(mockData);
    assertApi('sendPixel').wasNotCalled();
    assertApi('gtmOnSuccess').wasCalled();
- name: Without anybody to tell it of nothing is sent
  code: |-
    mock('readAnalyticsStorage', () => ({}));
    runCode(mockData);
    assertApi('sendPixel').wasNotCalled();
    assertApi('gtmOnSuccess').wasCalled();
- name: An event of the container itself needs a name
  code: |-
    mock('copyFromDataLayer', () => 'gtm.click');
    runCode(mockData);
    assertApi('sendPixel').wasNotCalled();
    assertApi('gtmOnFailure').wasCalled();
setup: |-
  const mockData = {
    hubUrl: 'https://hub.loja.example/',
    measurementId: 'G-ABC123',
    sendEcommerce: false,
    defaultAdStorage: 'unknown',
    defaultAnalyticsStorage: 'unknown',
    defaultAdUserData: 'unknown',
    defaultAdPersonalization: 'unknown',
    sendDenied: false
  };
  const sent = [];
  mock('addConsentListener', () => {});
  mock('copyFromDataLayer', () => 'gtm.js');
  mock('isConsentGranted', () => true);
  mock('readAnalyticsStorage', () => ({ client_id: '11.22' }));
  mock('sendPixel', (url, onSuccess, onFailure) => {
    sent.push(url);
    onFailure();
  });


___NOTES___

Licença: Apache-2.0.

Envia ao hub uma chamada GA4 (/g/collect). Uma tag da web só faz chamadas GET; por isso nada vai em claro que identifique
alguém além do id que o site escolher.

O sinal de consentimento (gcd) é calculado só com o que o Google documenta: isConsentGranted e addConsentListener.
"Concedido" sem mudança ouvida conta como resposta da pessoa apenas onde o campo "Padrão" diz que o sinal começa negado.
"Negado" sem mudança ouvida é o padrão da página e não retira nada.

O hub responde 204, sem imagem. O navegador chama isso de falha do pixel; a tag informa sucesso nos dois casos. Confira a
entrega na lista ao vivo do hub.
