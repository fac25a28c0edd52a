"""Retained messages: the last one of each topic name that its publisher wants to be kept, for who subscribes later."""
