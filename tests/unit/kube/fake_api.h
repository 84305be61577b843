/* fake_api.h - a client of an API server that a test plays: one function answers every exchange,
 * those with registries too, under virtual time. */
#pragma once

#include "kube/client.h"

#include "fake_network.h"
#include "virtual_clock.h"

struct fake_api {
    struct virtual_clock time;
    struct clock clock;
    struct timers timers;
    struct fake_network network;
    struct kube_config config;
    struct kube_client *client;
};

/* In place: nothing of it may move. */
static inline void fake_api_init(struct fake_api *api,
                                 void (*serve)(void *context, struct fake_exchange *exchange),
                                 void *context)
{
    *api = (struct fake_api){ .time = { .monotonic_ms = 1000, .wall_ms = 1700000000000 } };
    api->clock = virtual_clock_port(&api->time);
    timers_init(&api->timers, &api->clock);
    fake_network_init(&api->network, serve, context);
    api->config.server = "http://api";
    api->config.credentials = kube_credentials_new(&(struct kube_credentials_options){ 0 });
    api->client = kube_client_new(&(struct kube_client_options){
        .transport = &api->network.transport, .timers = &api->timers, .config = &api->config });
}

static inline void fake_api_release(struct fake_api *api)
{
    kube_client_free(api->client);
    kube_config_release(&api->config);
    fake_network_release(&api->network);
    timers_release(&api->timers);
}
