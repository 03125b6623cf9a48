def test_boot(live_site): assert live_site.health()
