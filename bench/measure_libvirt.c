/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt's own dispatch, without Python: the twin of "measure_libvirt.py dispatch".
 *
 *     measure_libvirt CALLBACKS EVENTS
 *
 * Events are queued while nobody runs the event loop, then this thread runs it until every
 * callback has counted them all; prints the CPU time of that as one JSON object.
 */
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long delivered;

static void count(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *opaque)
{
    (void)conn, (void)dom, (void)event, (void)detail, (void)opaque;
    delivered++;
}

static void nothing(int timer, void *opaque)
{
    (void)timer, (void)opaque;
}

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    int callbacks = argc > 1 ? atoi(argv[1]) : 1;
    int events = argc > 2 ? atoi(argv[2]) : 1000;
    virConnectPtr *conns = calloc(callbacks, sizeof(*conns));
    virDomainPtr dom;
    double before;
    int i;

    if (!conns || virEventRegisterDefaultImpl() < 0)
        return 1;
    /* so that one round of the loop ends even when nothing is queued */
    virEventAddTimeout(10, nothing, NULL, NULL);
    for (i = 0; i < callbacks; i++) {
        conns[i] = virConnectOpen("test:///default");
        if (!conns[i] ||
            virConnectDomainEventRegisterAny(conns[i], NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                             VIR_DOMAIN_EVENT_CALLBACK(count), NULL, NULL) < 0)
            return 1;
    }
    dom = virDomainLookupByName(conns[0], "test");
    for (i = 0; i < events / 2; i++) {
        virDomainSuspend(dom);
        virDomainResume(dom);
    }
    before = cpu_seconds();
    while (delivered < (long)callbacks * (events / 2) * 2)
        virEventRunDefaultImpl();
    printf("{\"cpu_us_per_delivery\": %.6f}\n",
           (cpu_seconds() - before) / ((double)delivered) * 1e6);
    return 0;
}
